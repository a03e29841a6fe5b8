import type { Command } from 'commander';
import { type HydraConfig, loadConfig, type ModelConfig } from '#lib/config';
import { prepareModel } from '../models/prepare-model.js';
import { Platform, type PlatformAddresses } from '../platform/platform.js';
import { removeRunState, writeRunState } from '../platform/run-state.js';
import { untilInterrupted } from '../terminal/shutdown.js';

export function addUp(program: Command): void {
  program
    .command('up')
    .description('start the whole platform on this machine: gateway, scheduler and the workers of every model')
    .addHelpText(
      'after',
      `
Reads hydra.yaml. The variables used most:
  HYDRA_MODEL      a catalogue name, a hub id (org/name, org/name@revision), a folder or a .gguf file
  HYDRA_WEIGHTS    auto, fp32, int8 or int4
  HYDRA_WORKERS    worker processes for each model; they share the cores
  HYDRA_ENGINE     onnx, or mock: no model, no weights, ready at once
  HYDRA_HTTP_PORT  REST, 8080        HYDRA_GRPC_PORT  gRPC, 9090
All of them: docs/configuration.md. Ctrl-C stops everything, a second Ctrl-C at once.`,
    )
    .action(up);
}

async function up(): Promise<void> {
  const config = loadConfig();
  let platform: Platform | undefined;
  const interrupted = untilInterrupted(() => {
    platform?.kill();
    process.exit(130);
  });
  if (config.engine === 'onnx') {
    for (const model of config.models) await prepareModel(model, config, interrupted);
  }

  const givenUp = new AbortController();
  platform = await Platform.prepare(config, {
    onLine: (name, line) => process.stdout.write(`${name.padEnd(9)} │ ${line}\n`),
    onGivenUp: (name, reason) => {
      process.stderr.write(`hydra: ${reason}; see its lines above\n`);
      givenUp.abort(new Error(`${name} was given up`));
    },
  });
  const ended = AbortSignal.any([interrupted, givenUp.signal]);
  process.exitCode = await run(platform, config, ended, givenUp.signal);
}

async function run(platform: Platform, config: HydraConfig, ended: AbortSignal, givenUp: AbortSignal): Promise<number> {
  try {
    const addresses = await platform.start(ended);
    writeRunState(config.storage.folder, { pid: process.pid, ...addresses, startedAt: new Date().toISOString() });
    process.stdout.write(banner(addresses, config.models));
    await aborted(ended);
  } catch (error) {
    if (!ended.aborted) throw error;
  } finally {
    if (!givenUp.aborted)
      process.stdout.write('\nhydra: stopping; running streams may finish (Ctrl-C again stops at once)\n');
    await platform.stop();
    removeRunState(config.storage.folder);
  }
  return givenUp.aborted ? 1 : 0;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** What a person needs next: where it is, what it serves, a line to paste. */
function banner(
  { gatewayUrl, grpcTarget, schedulerTarget }: PlatformAddresses,
  models: readonly ModelConfig[],
): string {
  const [first] = models;
  const body = JSON.stringify({
    model: first?.id,
    messages: [{ role: 'user', content: 'What is the capital of France?' }],
    temperature: 0,
    stream: true,
  });
  return `
HydraServe is ready.

  REST      ${gatewayUrl}/v1
  gRPC      ${grpcTarget}
  Swagger   ${gatewayUrl}/docs
  scheduler ${schedulerTarget}
  model     ${models.map((model) => model.id).join(', ')}

Try it:

  curl -N ${gatewayUrl}/v1/chat/completions -H 'content-type: application/json' \\
    -d '${body}'

`;
}
