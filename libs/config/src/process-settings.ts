/** How Node and the C library run an app. They read it as the process starts, so whoever starts one gives it to it. */
export interface ProcessSettings {
  /** Flags of Node. */
  readonly flags: readonly string[];
  /** Variables of the C library; what the environment has goes before. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Node's own code on huge pages, for apps that mostly run it; for that it is copied, 23 MB. Nothing where the system has none
 * (docs/decisions/2026-11-30-huge-pages.md).
 */
const CODE_ON_HUGE_PAGES = '--use-largepages=silent';

/** By the name of its folder in `apps/`. */
export const PROCESS_SETTINGS = {
  gateway: { flags: [CODE_ON_HUGE_PAGES], env: {} },
  // The KV index and the uses of prefixes: a decision looks at hundreds of places in them.
  scheduler: { flags: [CODE_ON_HUGE_PAGES], env: { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' } },
  kvcache: { flags: [], env: {} },
  // Heaps of glibc. Chosen: it would have one for each thread but the first, up to eight for each core, and each keeps what its threads have freed:
  // 16 MB of a worker that has loaded SmolLM2 (`node bench/engine/run.mjs --only memory`, November 30, 2026). A step's memory is ONNX Runtime's
  // own, so threads hardly meet in them.
  inference: { flags: [], env: { MALLOC_ARENA_MAX: '2' } },
} as const satisfies Readonly<Record<string, ProcessSettings>>;
