import type { GenerationUsage } from '#lib/contracts';
import type { EngineRefusal } from '../engine.js';

/** Inputs to be turned into vectors; plain data, so that it crosses into the engine's thread. */
export interface EmbeddingRequest {
  readonly modelId: string;
  /** Token ids of each input, special tokens included. */
  readonly inputs: readonly (readonly number[])[];
}

export type EmbeddingOutcome =
  | {
      readonly kind: 'embedded';
      /** Row-major [inputs, dimensions], each row of length 1. */
      readonly vectors: Float32Array;
      readonly dimensions: number;
      readonly usage: GenerationUsage;
    }
  | EngineRefusal;
