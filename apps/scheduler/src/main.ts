import 'reflect-metadata';
import { loadConfig } from '#lib/config';
import { createLogger, reportListening } from '#lib/observability';
import { startScheduler } from './start-scheduler.js';

const config = loadConfig();
const logger = createLogger('scheduler', config.log);
try {
  const scheduler = await startScheduler(config, logger);
  reportListening(scheduler);
  logger.info({ http_port: scheduler.httpPort, grpc_port: scheduler.grpcPort }, 'scheduler listens');
} catch (error) {
  logger.fatal({ error }, 'the scheduler could not start');
  process.exitCode = 1;
}
