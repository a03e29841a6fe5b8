import 'reflect-metadata';
import { loadConfig } from '#lib/config';
import { createLogger, reportListening } from '#lib/observability';
import { startScheduler } from './start-scheduler.js';

const config = loadConfig();
const logger = createLogger('scheduler', config.log);
try {
  const { httpPort, grpcPort } = await startScheduler(config, logger);
  reportListening({ httpPort, grpcPort });
  logger.info({ http_port: httpPort, grpc_port: grpcPort }, 'scheduler listens');
} catch (error) {
  logger.fatal({ error }, 'the scheduler could not start');
  process.exit(1); // one server may listen already, and would keep the process alive
}
