import type { CompiledModelManifest } from './compiled-model.js';
import { weightCountOf } from './weight-count.js';

/** Longer chunks are no faster (measured November 2026). */
const MOST_TOKENS = 256;
/** Fewer are slower than they need to be: each chunk reads all weights once. */
const LEAST_TOKENS = 32;
/**
 * Weights times tokens of a chunk: 5 s on two cores, which multiply 50 · 10⁹ a second (measured November 2026: SmolLM2, 363
 * tokens/s). A step must end in a small part of `workers.stepTimeoutMs` on a machine that is busy otherwise, too, and whoever
 * cancels waits for it.
 */
const MOST_WEIGHT_TOKENS = 2.5e11;
/** How many tokens of a prompt a step computes at most: 256 up to a billion weights, fewer of larger models. */
export function chunkTokensOf({
  weights,
  weightsBytes,
}: Pick<CompiledModelManifest, 'weights' | 'weightsBytes'>): number {
  const weightCount = weightCountOf({ weights, weightsBytes });
  return Math.max(LEAST_TOKENS, Math.min(MOST_TOKENS, Math.floor(MOST_WEIGHT_TOKENS / weightCount)));
}
