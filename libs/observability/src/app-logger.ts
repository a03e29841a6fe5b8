/** Nest token of the process's logger (pino). Inject with `@Inject(APP_LOGGER)`. */
export const APP_LOGGER = Symbol('app logger');
