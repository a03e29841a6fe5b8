import type { Pointer } from './ort-functions.js';
import type { OrtRuntime } from './ort-runtime.js';

/** `GraphOptimizationLevel` */
const OPTIMIZATION_LEVELS = { none: 0, basic: 1, extended: 2, all: 99 } as const;

/**
 * What computes. `cuda` is built from ONNX Runtime's documentation and **not verified on a GPU**; its libraries are an
 * extra download, see docs/gpu.md.
 * @see https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html
 */
export type ExecutionProvider =
  | { readonly kind: 'cpu' }
  | {
      readonly kind: 'cuda';
      readonly deviceId: number;
      /** Most device memory of the session's arena, in bytes; KV memory comes on top. Default: no limit. */
      readonly arenaBytes?: number;
    };

export interface OrtSessionOptions {
  /** Compute threads of one run, the calling one included. */
  readonly threads: number;
  /**
   * Whether idle threads spin instead of sleeping. Off by default: on a machine that does other work as well, spinning
   * doubled the time of a step (measured November 2026, 2 cores).
   */
  readonly isSpinning?: boolean;
  /** Default `all`. */
  readonly graphOptimization?: keyof typeof OPTIMIZATION_LEVELS;
  /**
   * Whether memory is planned ahead for each combination of input shapes. Off by default: every chunk length would
   * keep a plan of its own for ever.
   */
  readonly usesMemoryPatterns?: boolean;
  /** Whether freed CPU memory is kept for the next run. Default true. */
  readonly usesCpuArena?: boolean;
  /** Default CPU. */
  readonly executionProvider?: ExecutionProvider;
  /** Page of the ledger that says what is held. Default: one that nobody reads. */
  readonly ledgerPage?: SharedArrayBuffer;
}

/** @returns the handle of the `OrtSessionOptions`; the caller releases it */
export function createSessionOptions(runtime: OrtRuntime, options: OrtSessionOptions): Pointer {
  const { functions } = runtime;
  const handle = runtime.created('CreateSessionOptions', functions.createSessionOptions);
  try {
    const level = OPTIMIZATION_LEVELS[options.graphOptimization ?? 'all'];
    runtime.check('SetIntraOpNumThreads', functions.setIntraOpNumThreads(handle, options.threads));
    runtime.check('SetInterOpNumThreads', functions.setInterOpNumThreads(handle, 1));
    runtime.check('SetSessionGraphOptimizationLevel', functions.setGraphOptimizationLevel(handle, level));
    const setMemoryPattern = options.usesMemoryPatterns ? functions.enableMemPattern : functions.disableMemPattern;
    runtime.check('SetMemPattern', setMemoryPattern(handle));
    const setArena = (options.usesCpuArena ?? true) ? functions.enableCpuMemArena : functions.disableCpuMemArena;
    runtime.check('SetCpuMemArena', setArena(handle));
    const spinning = options.isSpinning ? '1' : '0';
    runtime.check(
      'AddSessionConfigEntry',
      functions.addSessionConfigEntry(handle, 'session.intra_op.allow_spinning', spinning),
    );
    if (options.executionProvider?.kind === 'cuda') appendCuda(runtime, handle, options.executionProvider);
    return handle;
  } catch (error) {
    functions.releaseSessionOptions(handle);
    throw error;
  }
}

/** Not verified on a GPU. */
function appendCuda(
  runtime: OrtRuntime,
  sessionOptions: Pointer,
  provider: Extract<ExecutionProvider, { kind: 'cuda' }>,
): void {
  const { functions } = runtime;
  const entries = new Map([
    ['device_id', String(provider.deviceId)],
    ['arena_extend_strategy', 'kSameAsRequested'],
    ['do_copy_in_default_stream', '1'],
  ]);
  if (provider.arenaBytes !== undefined) entries.set('gpu_mem_limit', String(provider.arenaBytes));
  const cuda = runtime.created('CreateCUDAProviderOptions', functions.createCudaOptions);
  try {
    runtime.check(
      'UpdateCUDAProviderOptions',
      functions.updateCudaOptions(cuda, [...entries.keys()], [...entries.values()], entries.size),
    );
    runtime.check('SessionOptionsAppendExecutionProvider_CUDA_V2', functions.appendCudaProvider(sessionOptions, cuda));
  } finally {
    functions.releaseCudaOptions(cuda);
  }
}
