import 'reflect-metadata';
import { type HydraConfig, schedulerTargets, startingConfig } from '#lib/config';
import { createLogger, followConfig, reportListening } from '#lib/observability';
import { startScheduler } from './start-scheduler.js';

const live = startingConfig();
const config = live.view;
const logger = createLogger(nameOf(config), config.log);
try {
  const { httpPort, grpcPort } = await startScheduler(config, logger);
  reportListening({ httpPort, grpcPort });
  followConfig(live, logger);
  logger.info({ http_port: httpPort, grpc_port: grpcPort }, 'scheduler listens');
} catch (error) {
  logger.fatal({ error }, 'the scheduler could not start');
  process.exit(1); // one server may listen already, and would keep the process alive
}

/** In log lines; of several schedulers each has its number. */
function nameOf(config: HydraConfig): string {
  const targets = schedulerTargets(config);
  return targets.length === 1 ? 'scheduler' : `scheduler-${targets.indexOf(config.scheduler.target)}`;
}
