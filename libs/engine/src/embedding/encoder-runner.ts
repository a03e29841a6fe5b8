import type { EngineDescription } from '../engine.js';

/** Runs an encoder's forward passes: the port under the embedding engine. One caller, one pass at a time. */
export abstract class EncoderRunner {
  abstract readonly limits: EncoderLimits;
  /**
   * Computes the vectors of some inputs in one pass, shorter ones filled up to the longest.
   * @returns row-major [inputs.length, dimensions]; a row that cannot be computed has numbers that are not finite and
   * does not touch the others; the caller's to keep
   */
  abstract encode(inputs: readonly (readonly number[])[]): Promise<Float32Array>;
  /** Frees what it holds. Idempotent. */
  abstract close(): Promise<void>;
}

export interface EncoderLimits {
  /** Most tokens of one input. */
  readonly contextTokens: number;
  readonly vocabularySize: number;
  /** Elements of a vector. */
  readonly dimensions: number;
  /** Most tokens of one pass, those that fill up included; at least `contextTokens`. */
  readonly batchTokens: number;
}

/** An encoder that is ready to run. */
export interface LoadedEncoder {
  readonly description: EngineDescription;
  readonly runner: EncoderRunner;
}
