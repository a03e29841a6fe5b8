export { configurationPage } from './configuration-table.js';
export { ConfigError, type LoadConfigOptions, loadConfig } from './load-config.js';
export * from './schema.js';
