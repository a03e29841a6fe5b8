import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { configChanges, loadConfig } from '#lib/config';
import { formatTable } from '../terminal/table.js';

export function addConfig(program: Command): void {
  const config = program.command('config').description('check hydra.yaml, and what a change of it will need');
  config
    .command('check')
    .description('whether a file is valid, with the variables of this shell above it')
    .argument('[file]', 'default: the one that the platform would read')
    .action((file?: string) => {
      read(file);
      console.log('The configuration is valid.');
    });
  config
    .command('diff')
    .description('what differs between two files, and whether it counts at once or with the next start')
    .argument('<old>')
    .argument('[new]', 'default: the one that the platform would read')
    .action(diff);
}

function diff(oldFile: string, newFile?: string): void {
  const changes = configChanges(read(oldFile), read(newFile));
  if (changes.length === 0) {
    console.log('Nothing differs.');
    return;
  }
  const rows = changes.map(({ path, before = '–', after = '–', reload }) => [path, before, after, reload]);
  console.log(formatTable(['setting', 'old', 'new', 'change'], rows));
  const restarts = changes.filter(({ reload }) => reload === 'restart').length;
  console.log(
    restarts === 0 ? 'All of it counts at once.' : `${restarts} of ${changes.length} count with the next start.`,
  );
}

/** Relative paths in a file are meant from this folder, in both. */
function read(file: string | undefined) {
  if (file === undefined) return loadConfig();
  const path = resolve(file);
  if (!existsSync(path)) throw new Error(`there is no file ${path}`); // else HYDRA_CONFIG would be blamed, which nobody set
  return loadConfig({ env: { ...process.env, HYDRA_CONFIG: path }, folder: process.cwd() });
}
