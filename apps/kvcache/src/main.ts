import 'reflect-metadata';
import { startingConfig } from '#lib/config';
import { createLogger, followConfig, reportListening } from '#lib/observability';
import { startKvcache } from './start-kvcache.js';

const live = startingConfig();
const logger = createLogger(live.view.kvcache.name, live.view.log);
try {
  const { httpPort, grpcPort } = await startKvcache(live.view, logger);
  reportListening({ httpPort, grpcPort });
  followConfig(live, logger);
  logger.info({ http_port: httpPort, grpc_port: grpcPort }, 'kvcache listens');
} catch (error) {
  logger.fatal({ error }, 'the cache of KV blocks could not start');
  process.exit(1); // one server may listen already, and would keep the process alive
}
