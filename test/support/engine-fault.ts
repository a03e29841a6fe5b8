/** Seeds of requests that break the engine they run on, in processes that were started with `ENGINE_FAULT_ENV`. */
export const FAULT_SEEDS = { throws: 9001, jsHang: 9002, nativeHang: 9003, nativeHangAside: 9004 } as const;

/** @see engine-fault.mjs; with `ENGINE_FAULT_WORKER`, only the worker of that id breaks */
export const ENGINE_FAULT_ENV = {
  NODE_OPTIONS: `--import ${new URL('./engine-fault.mjs', import.meta.url).href}`,
};
