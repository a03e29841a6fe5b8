/** Nest token of the whole configuration (`HydraConfig`). */
export const GATEWAY_CONFIG = Symbol('gateway configuration');
/** Nest token of the gateway's id, new with each life of the process. */
export const GATEWAY_ID = Symbol('gateway id');
