/** Nest token of the configuration (`HydraConfig`). */
export const HYDRA_CONFIG = Symbol('hydra config');
