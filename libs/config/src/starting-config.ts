import { ConfigError } from './config-file.js';
import { LiveConfig } from './live-config.js';

/** EX_CONFIG of sysexits.h: starting again cannot help. */
export const CONFIG_EXIT_CODE = 78;

/** The configuration of an app that starts; without one that is valid the process ends, and says why. */
export function startingConfig(): LiveConfig {
  try {
    return new LiveConfig();
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : error);
    process.exit(error instanceof ConfigError ? CONFIG_EXIT_CODE : 1);
  }
}
