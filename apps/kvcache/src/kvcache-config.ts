/** Nest token of the whole configuration (`HydraConfig`). */
export const HYDRA_CONFIG = Symbol('hydra config');
