import type { Command } from 'commander';
import { loadConfig } from '#lib/config';
import { openStore } from '../models/open-store.js';
import { formatBytes } from '../terminal/progress-bar.js';
import { formatTable } from '../terminal/table.js';
import { MODEL_NAMES, PULL_HELP, pull } from './compile.js';

export function addModels(program: Command): void {
  const models = program.command('models').description('models on disk: list, pull, rm, prune');
  models
    .command('list')
    .description('the catalogue and what was downloaded')
    .addHelpText(
      'after',
      `
States: present, ready to be used; unfinished, a download that was interrupted; available, can be downloaded.
Folders and .gguf files of your own are used where they are, and not listed.`,
    )
    .action(list);
  models
    .command('pull')
    .description('download a model')
    .argument('[model]', 'default: the first model of hydra.yaml')
    .addHelpText('after', `${MODEL_NAMES}${PULL_HELP}`)
    .action(pull);
  models
    .command('rm')
    .description('remove a downloaded model and what was compiled from it; your own folders stay')
    .argument('<model>', 'a name from: hydra models list')
    .action(remove);
  models
    .command('prune')
    .description('remove unfinished downloads, and compiled models that nobody used for 30 days or whose model is gone')
    .addHelpText(
      'after',
      '\nEverything removed comes back by itself when it is needed: hydra up, pull and compile make it anew.',
    )
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
