import type { Command } from 'commander';
import { loadConfig } from '#lib/config';
import { prepareModel, pullWithProgress } from '../models/prepare-model.js';
import { wholeNumber } from '../terminal/number-options.js';
import { formatBytes } from '../terminal/progress-bar.js';
import { untilInterrupted } from '../terminal/shutdown.js';

/** How a model is named, for the help of every command that takes one. */
export const MODEL_NAMES = `
A model is a catalogue name (see: hydra models list), a hub id (org/name, org/name@revision), a folder (/folder, ./folder)
or a .gguf file.
`;

/** What a pull does with networks and interruptions. */
export const PULL_HELP = `
An interrupted download goes on where it stopped. HF_TOKEN opens gated models, HF_ENDPOINT names another hub.

Examples:
  hydra pull smollm2-135m-instruct
  hydra pull HuggingFaceTB/SmolLM2-360M-Instruct`;

const COMPILE_HELP = `
Weights: auto keeps the precision of the source in its smallest exact form, fp32 is the reference, int8 and int4 are smaller
and faster, w8a8 computes prompts fastest. What is compiled once is found again: hydra up does this by itself. Interrupted, it goes on where it stopped.

Examples:
  hydra compile ./my-model --weights int8
  hydra compile smollm2-135m-instruct --context-tokens 4096`;

export function addPull(program: Command): void {
  program
    .command('pull')
    .description('download a model')
    .argument('[model]', 'default: the first model of hydra.yaml')
    .addHelpText('after', `${MODEL_NAMES}${PULL_HELP}`)
    .action(pull);
}

export function addCompile(program: Command): void {
  program
    .command('compile')
    .description('download a model and compile its weights for the embedded engine')
    .argument('[model]', 'default: the first model of hydra.yaml')
    .option('--weights <form>', 'auto, fp32, int8, int4 or w8a8')
    .option('--context-tokens <n>', 'most tokens of prompt and output together', wholeNumber)
    .addHelpText('after', `${MODEL_NAMES}${COMPILE_HELP}`)
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
  const { compiled, prefill } = await prepareModel(asked, config, untilInterrupted());
  const { folder, manifest } = compiled;
  const { architecture, weights, weightsBytes, contextTokens } = manifest;
  const size = formatBytes(weightsBytes);
  process.stdout.write(
    `${model.id}: ${architecture}, ${weights} weights of ${size}, ${contextTokens} tokens of context, at ${folder}\n`,
  );
  if (prefill === undefined) return;
  const copySize = formatBytes(prefill.manifest.weightsBytes);
  process.stdout.write(`${model.id}: a copy in fp32 of ${copySize} that computes prompts, at ${prefill.folder}\n`);
}

/** The configuration as if the model had been named by `HYDRA_MODEL`: one way to read a name. */
function configFor(name: string | undefined, env: Record<string, string>) {
  return loadConfig({ env: { ...process.env, ...(name === undefined ? {} : { HYDRA_MODEL: name }), ...env } });
}
