import 'reflect-metadata';
import { startingConfig } from '#lib/config';
import { EngineStuckError } from '#lib/engine';
import { createLogger, followConfig, reportListening } from '#lib/observability';
import { ENGINE_LOST_EXIT_CODE, endProcessNow } from './lifecycle/end-process.js';
import { startWorker } from './start-worker.js';

/** 128 + SIGINT, as shells have it. */
const INTERRUPTED_EXIT_CODE = 130;

const live = startingConfig();
const config = live.view;
const logger = createLogger(config.workers.id, config.log);
let isStopping = false;

try {
  const worker = await startWorker(config, logger);
  live.onChange(() => worker.configChanged());
  followConfig(live, logger);

  /** The first time in order, the second time at once. */
  const stop = async (reason: string) => {
    if (isStopping) endProcessNow(INTERRUPTED_EXIT_CODE);
    isStopping = true;
    logger.info({ reason }, 'stopping');
    try {
      await worker.stop(config.workers.drainTimeoutMs);
    } catch (error) {
      if (!(error instanceof EngineStuckError)) throw error;
      logger.fatal(error.message);
      endProcessNow(ENGINE_LOST_EXIT_CODE);
    }
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  void worker.superseded.then(() => stop('superseded'));
  void worker.engineLost.then(async () => {
    isStopping = true;
    await worker.leave();
    endProcessNow(ENGINE_LOST_EXIT_CODE);
  });

  await worker.prepare();
  reportListening(worker);
  const { modelId, weights, numerics, contextTokens, maxRunningSequences, textFingerprint } = worker.model();
  logger.info(
    {
      http_port: worker.httpPort,
      grpc_port: worker.grpcPort,
      model_id: modelId,
      weights,
      numerics,
      context_tokens: contextTokens,
      sequences: maxRunningSequences,
      text_fingerprint: textFingerprint,
    },
    'the worker is ready',
  );
} catch (error) {
  if (!isStopping) {
    logger.debug({ error }, 'why the worker could not start');
    logger.fatal(`The worker could not start: ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}
