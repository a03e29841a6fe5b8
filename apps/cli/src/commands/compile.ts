import type { Command } from 'commander';
import { loadConfig } from '#lib/config';
import { prepareModel, pullWithProgress } from '../models/prepare-model.js';
import { formatBytes } from '../terminal/progress-bar.js';
import { untilInterrupted } from '../terminal/shutdown.js';

const NAMES =
  '\nA model is a catalogue name (hydra models list), a hub id (org/name, org/name@revision), a folder or a .gguf file.';

export function addPull(program: Command): void {
  program
    .command('pull')
    .description('download a model')
    .argument('[model]', 'default: the first model of hydra.yaml')
    .addHelpText('after', NAMES)
    .action(pull);
}

export function addCompile(program: Command): void {
  program
    .command('compile')
    .description('download a model and compile its weights for the embedded engine')
    .argument('[model]', 'default: the first model of hydra.yaml')
    .option('--weights <form>', 'auto, fp32, int8 or int4')
    .option('--context-tokens <n>', 'most tokens of prompt and output together', Number)
    .addHelpText('after', NAMES)
    .action(compile);
}

export async function pull(name: string | undefined): Promise<void> {
  const config = configFor(name, {});
  const [model] = config.models;
  if (model === undefined) return;
  const pulled = await pullWithProgress(model.source ?? model.id, config, untilInterrupted());
  const where = pulled.kind === 'gguf' ? pulled.ggufPath : pulled.folder;
  process.stdout.write(`${pulled.id}: ${formatBytes(pulled.bytes)} from ${pulled.origin}, at ${where}\n`);
}

async function compile(name: string | undefined, options: { weights?: string; contextTokens?: number }): Promise<void> {
  const config = configFor(name, options.weights === undefined ? {} : { HYDRA_WEIGHTS: options.weights });
  const [model] = config.models;
  if (model === undefined) return;
  const asked = { ...model, contextTokens: options.contextTokens ?? model.contextTokens };
  const { folder, manifest } = await prepareModel(asked, config, untilInterrupted());
  const { architecture, weights, weightsBytes, contextTokens } = manifest;
  const size = formatBytes(weightsBytes);
  process.stdout.write(
    `${model.id}: ${architecture}, ${weights} weights of ${size}, ${contextTokens} tokens of context, at ${folder}\n`,
  );
}

/** The configuration as if the model had been named by `HYDRA_MODEL`: one way to read a name. */
function configFor(name: string | undefined, env: Record<string, string>) {
  return loadConfig({ env: { ...process.env, ...(name === undefined ? {} : { HYDRA_MODEL: name }), ...env } });
}
