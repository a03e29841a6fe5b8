export { type ConfigChange, configChanges } from './config-changes.js';
export { ConfigError, type LoadConfigOptions } from './config-file.js';
export { configurationPage } from './configuration-table.js';
export { configFields } from './fields.js';
export { LiveConfig, type ReloadOutcome } from './live-config.js';
export { loadConfig } from './load-config.js';
export { schedulerTargets } from './scheduler-targets.js';
export * from './schema.js';
export { CONFIG_EXIT_CODE, startingConfig } from './starting-config.js';
