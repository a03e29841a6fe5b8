import './young-objects.js'; // first: code that was compiled before keeps what V8 had learned
import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONFIG_EXIT_CODE, ConfigError, LiveConfig } from '#lib/config';
import { createLogger, followConfig, reportListening } from '#lib/observability';
import { startGateway } from './gateway-app.js';

try {
  const live = new LiveConfig();
  const config = live.view;
  const logger = createLogger('gateway', config.log);
  const gateway = await startGateway(config, logger);
  reportListening(gateway);
  followConfig(live, logger);

  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, 'stopping');
    gateway.stop(config.gateway.drainTimeoutMs, sleep(config.gateway.shutdownDelayMs)).then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ error }, 'the stop failed');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(error instanceof ConfigError ? CONFIG_EXIT_CODE : 1);
}
