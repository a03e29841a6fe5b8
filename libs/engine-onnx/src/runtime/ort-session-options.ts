import type { Pointer } from './ort-functions.js';
import type { OrtRuntime } from './ort-runtime.js';

/** `GraphOptimizationLevel` */
const OPTIMIZATION_LEVELS = { none: 0, basic: 1, extended: 2, all: 99 } as const;

/**
 * Longer than the gaps between the operators of a step, shorter than any between two steps. Measured on SmolLM2 in int4, 2 cores,
 * November 2026: without spinning a step of one row takes 9.4 ms, with 20, 50, 100 or endless microseconds of it 7.0 to 7.5;
 * 8 rows take 25 to 27 against 20. On a machine that is busy otherwise, endless spinning multiplies the time of a step; short
 * spinning costs nothing there.
 */
const SPIN_MICROSECONDS = 50;

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
  /** How long an idle thread spins before it sleeps, in microseconds; 0 for not at all. Default 50. */
  readonly spinMicroseconds?: number;
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
    for (const [key, value] of spinning(options.spinMicroseconds ?? SPIN_MICROSECONDS)) {
      runtime.check('AddSessionConfigEntry', functions.addSessionConfigEntry(handle, key, value));
    }
    if (options.executionProvider?.kind === 'cuda') appendCuda(runtime, handle, options.executionProvider);
    return handle;
  } catch (error) {
    functions.releaseSessionOptions(handle);
    throw error;
  }
}

/** @see https://github.com/microsoft/onnxruntime/blob/main/include/onnxruntime/core/session/onnxruntime_session_options_config_keys.h */
function spinning(microseconds: number): readonly (readonly [key: string, value: string])[] {
  if (microseconds === 0) return [['session.intra_op.allow_spinning', '0']];
  return [
    ['session.intra_op.allow_spinning', '1'],
    ['session.intra_op.spin_duration_us', String(microseconds)],
  ];
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
