import 'reflect-metadata';
import { ConfigError, type HydraConfig, LiveConfig, schedulerTargets } from '#lib/config';
import { createLogger, followConfig, reportListening } from '#lib/observability';
import { startScheduler } from './start-scheduler.js';

/** EX_CONFIG of sysexits.h: starting again cannot help. */
const CONFIG_EXIT_CODE = 78;

const live = readConfig();
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

function readConfig() {
  try {
    return new LiveConfig();
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : error);
    process.exit(error instanceof ConfigError ? CONFIG_EXIT_CODE : 1);
  }
}
