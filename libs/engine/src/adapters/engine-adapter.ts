/** A LoRA adapter to be loaded. */
export interface AdapterToLoad {
  /** Name under which requests ask for it. */
  readonly adapterId: string;
  /** Where it is: a folder, for engines that read files. */
  readonly source: string;
}

/** A LoRA adapter that is loaded. */
export interface EngineAdapter extends AdapterToLoad {
  /** Of its content, hex; part of the names of all blocks that are computed with it. */
  readonly version: string;
  /** Largest rank of its matrices. */
  readonly rank: number;
  /** Memory that its matrices take, in bytes; it comes on top of that for attention state. */
  readonly bytes: number;
}

/**
 * - `unknown`: no adapter of that name is loaded
 * - `unusable`: it cannot be read, or does not fit the model
 * - `no-room`: as many are loaded as there may be
 * - `in-use`: generations use it still; it goes when they have ended
 * - `unsupported`: this engine takes no adapters
 * - `unavailable`: the engine does not run
 */
export type AdapterRefusalReason = 'unknown' | 'unusable' | 'no-room' | 'in-use' | 'unsupported' | 'unavailable';

/** Plain data: it crosses threads. */
export type AdapterOutcome =
  | { readonly kind: 'done'; readonly adapter: EngineAdapter }
  | { readonly kind: 'refused'; readonly reason: AdapterRefusalReason; readonly message: string };

export function adapterRefused(reason: AdapterRefusalReason, message: string): AdapterOutcome {
  return { kind: 'refused', reason, message };
}
