import type { Command } from 'commander';
import { loadConfig } from '#lib/config';
import { openStore } from '../models/open-store.js';
import { formatBytes } from '../terminal/progress-bar.js';
import { formatTable } from '../terminal/table.js';
import { pull } from './compile.js';

export function addModels(program: Command): void {
  const models = program.command('models').description('models on disk: list, pull, rm, prune');
  models.command('list').description('the catalogue and what was downloaded').action(list);
  models.command('pull').description('download a model').argument('[model]').action(pull);
  models
    .command('rm')
    .description('remove a downloaded model and what was compiled from it; your own folders stay')
    .argument('<model>')
    .action(remove);
  models
    .command('prune')
    .description('remove unfinished downloads, and compiled models that nobody used for 30 days or whose model is gone')
    .action(prune);
}

async function list(): Promise<void> {
  const rows = (await openStore(loadConfig()).listModels()).map((model) => [
    model.name,
    model.state,
    model.bytes > 0 ? formatBytes(model.bytes) : '–',
    model.downloadBytes ? formatBytes(model.downloadBytes) : '–',
    model.licence ?? '–',
    model.origin ?? model.description ?? '',
  ]);
  process.stdout.write(`${formatTable(['model', 'state', 'on disk', 'download', 'licence', 'from'], rows)}\n`);
}

async function remove(name: string): Promise<void> {
  process.stdout.write(`freed ${formatBytes(await openStore(loadConfig()).removeModel(name))}\n`);
}

async function prune(): Promise<void> {
  const { freedBytes, removed } = await openStore(loadConfig()).pruneModels();
  for (const what of removed) process.stdout.write(`removed ${what}\n`);
  process.stdout.write(`freed ${formatBytes(freedBytes)}\n`);
}
