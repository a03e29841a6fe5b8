import type { ModelRunnerLimits } from '../model-runner.js';
import type { Sequence } from './generation.js';

/*
 * One row alone is multiplied by other kernels than several, so the last bits of attention differ between a decode row and a
 * position in a chunk. Where a runner is exact, a position is therefore always computed in the same way, the first time and
 * every further one: those of the prompt in chunks, those after it row by row. Where its prompts are, that holds for them alone, and
 * chunks compute also what follows them when it is computed again. Elsewhere chunks compute all that is known but, at times, the last.
 *
 * Chunks that no row is to be left over from begin at even positions, and have an even number of tokens unless they end what chunks
 * compute: there the runner adds a row (`ModelRunnerLimits.hasExactPrompts`).
 */

type Exactness = Pick<ModelRunnerLimits, 'isExact' | 'hasExactPrompts'>;

/** How many leading tokens chunks compute. */
export function chunkedTokens({ generation, knownTokens }: Sequence, { isExact }: Exactness): number {
  return isExact ? generation.promptTokens : knownTokens;
}

/** Where the chunk from `from` ends that may have `mostTokens`. */
export function chunkEnd(sequence: Sequence, from: number, mostTokens: number, limits: Exactness): number {
  const leftTokens = chunkedTokens(sequence, limits) - from;
  return from + (leftTokens <= mostTokens ? leftTokens : wholePairs(mostTokens, limits));
}

/** How many leading tokens of the prompt can come from elsewhere; what is left gives the logits. */
export function reusablePromptTokens(promptTokens: number, limits: Exactness): number {
  return wholePairs(promptTokens - 1, limits);
}

/** How many leading tokens can come from the prefix store. */
export function restorableTokens({ generation, knownTokens }: Sequence, limits: Exactness): number {
  return reusablePromptTokens(limits.isExact ? generation.promptTokens : knownTokens, limits);
}

/** How many leading tokens others can use: where it matters how outputs were computed, those of chunks. */
export function keepableTokens({ generation, provenTokens }: Sequence, { isExact }: Exactness): number {
  return isExact ? Math.min(provenTokens, generation.promptTokens) : provenTokens;
}

/** How much of what a slot holds when it is opened is used. */
export function usedTokens(sequence: Sequence, heldTokens: number, limits: Exactness): number {
  const { generation } = sequence;
  if (generation.lacksPromptLogprobs) return 0; // their logits are wanted: what is held does not have them
  const most = limits.isExact ? reusablePromptTokens(generation.promptTokens, limits) : heldTokens;
  return wholePairs(Math.min(heldTokens, most), limits);
}

/** Whether what is left is computed row by row. */
export function isPrefilled(sequence: Sequence, limits: Exactness): boolean {
  const { computedTokens, knownTokens, generation } = sequence;
  if (limits.isExact) return computedTokens >= generation.promptTokens;
  const least = limits.hasExactPrompts ? generation.promptTokens : 0;
  return computedTokens >= Math.max(least, knownTokens - 1);
}

function wholePairs(tokens: number, { isExact, hasExactPrompts }: Exactness): number {
  return isExact || hasExactPrompts ? tokens - (tokens % 2) : tokens;
}
