import type { Command } from 'commander';
import { exposureProblems } from '#lib/auth';
import { ConfigError, type HydraConfig, loadConfig, type ModelConfig } from '#lib/config';
import { prepareModel } from '../models/prepare-model.js';
import { Platform } from '../platform/platform.js';
import { keepCertificates } from '../platform/platform-certificates.js';
import { removeRunState, writeRunState, writeScrapeTargets } from '../platform/run-state.js';
import { wholeNumber } from '../terminal/number-options.js';
import { JsonOutput, type PlatformOutput, PrettyOutput } from '../terminal/platform-output.js';
import { untilInterrupted } from '../terminal/shutdown.js';

export function addUp(program: Command): void {
  program
    .command('up')
    .description(
      'start the whole platform on this machine: gateway, scheduler, caches of KV blocks where wanted, and the workers of every model',
    )
    .option(
      '--schedulers <count>',
      'scheduler processes; each model is placed by one, and by another when that one is gone',
      wholeNumber,
      1,
    )
    .option('--kvcache <count>', 'caches of KV blocks, which workers share; default: kvcache.count', wholeNumber)
    .addHelpText(
      'after',
      `
Reads hydra.yaml. The variables used most:
  HYDRA_MODEL      a catalogue name, a hub id (org/name, org/name@revision), a folder or a .gguf file
  HYDRA_WEIGHTS    auto, fp32, int8, int4 or w8a8
  HYDRA_PREFILL_WEIGHTS  same, fp32 (a second copy that computes prompts), or auto: that where it is small
  HYDRA_NUMERICS   fast, or exact: fp32, the same tokens however requests are batched
  HYDRA_WORKERS    worker processes for each model; they share the cores
  HYDRA_ENGINE     onnx, or mock: no model, no weights, ready at once
  HYDRA_HTTP_PORT  REST, 8080        HYDRA_GRPC_PORT  gRPC, 9090
  HYDRA_LOG_FORMAT pretty, or json: every line one JSON object
All of them: docs/configuration.md. Ctrl-C stops everything, a second Ctrl-C at once.`,
    )
    .action(up);
}

interface UpOptions {
  readonly schedulers: number;
  readonly kvcache?: number;
}

async function up({ schedulers, kvcache }: UpOptions): Promise<void> {
  if (kvcache !== undefined) process.env['HYDRA_KVCACHES'] = String(kvcache); // as the apps will read it
  let config = loadConfig();
  const problems = exposureProblems(config.gateway.host, config.auth.mode);
  if (problems.length > 0) throw new ConfigError(problems);
  let platform: Platform | undefined;
  const interrupted = untilInterrupted(() => {
    platform?.kill();
    process.exit(130);
  });
  if (config.engine === 'onnx') {
    const models: ModelConfig[] = [];
    for (const model of config.models) {
      const { prefill } = await prepareModel(model, config, interrupted);
      models.push({ ...model, prefillWeights: prefill === undefined ? 'same' : 'fp32' });
    }
    config = { ...config, models };
  }

  const logFormat = process.env['HYDRA_LOG_FORMAT'] === 'json' ? 'json' : 'pretty'; // people start it: not the apps' default
  const write = (text: string) => process.stdout.write(text);
  const output =
    logFormat === 'json' ? new JsonOutput(write) : new PrettyOutput(write, (text) => process.stderr.write(text));
  await keepCertificates(config, (text) => output.note(text));
  const givenUp = new AbortController();
  platform = await Platform.prepare(
    config,
    logFormat,
    {
      onLine: (name, line) => output.line(name, line),
      onListening: ({ scrapeTargets }) => writeScrapeTargets(config.storage.folder, scrapeTargets),
      onGivenUp: (name, reason) => {
        output.failed(reason);
        givenUp.abort(new Error(`${name} was given up`));
      },
    },
    schedulers,
  );
  const ended = AbortSignal.any([interrupted, givenUp.signal]);
  process.exitCode = await run(platform, config, output, ended, givenUp.signal);
}

async function run(
  platform: Platform,
  config: HydraConfig,
  output: PlatformOutput,
  ended: AbortSignal,
  givenUp: AbortSignal,
): Promise<number> {
  try {
    const addresses = await platform.start(ended);
    writeRunState(config.storage.folder, { pid: process.pid, ...addresses, startedAt: new Date().toISOString() });
    output.ready(addresses, config.models);
    await aborted(ended);
  } catch (error) {
    if (!ended.aborted) throw error;
  } finally {
    if (!givenUp.aborted) output.stopping();
    await platform.stop();
    removeRunState(config.storage.folder);
  }
  return givenUp.aborted ? 1 : 0;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
