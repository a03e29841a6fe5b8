export { configurationPage } from './configuration-table.js';
export { ConfigError, type LoadConfigOptions, loadConfig } from './load-config.js';
export { schedulerTargets } from './scheduler-targets.js';
export * from './schema.js';
