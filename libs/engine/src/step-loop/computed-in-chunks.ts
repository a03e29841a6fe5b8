import type { ModelRunnerLimits } from '../model-runner.js';
import type { Sequence } from './generation.js';

/*
 * One row alone is multiplied by other kernels than several, so the last bits of attention differ between a decode row and a
 * position in a chunk. Where a runner is exact, a position is therefore always computed in the same way, the first time and
 * every further one: those of the prompt in chunks, those after it row by row. Elsewhere chunks compute all that is known.
 *
 * Attention takes the rows of a chunk in blocks, of twice the head's size on most machines, and a row that is left over is
 * alone as well. So an exact chunk has an even number of tokens, or fewer than any block: the one that ends an odd prompt.
 */

/** Least tokens of a chunk, as long as the prompt has as many. */
const LEAST_TOKENS = 2;
/** Most tokens of a chunk with an odd number of them. */
const MOST_ODD_TOKENS = 31;

/** How many leading tokens chunks compute. */
export function chunkedTokens({ generation, knownTokens }: Sequence, { isExact }: ModelRunnerLimits): number {
  return isExact ? generation.promptTokens : knownTokens;
}

/** Where the chunk from `from` ends that may have `mostTokens`. */
export function chunkEnd(sequence: Sequence, from: number, mostTokens: number, limits: ModelRunnerLimits): number {
  const all = chunkedTokens(sequence, limits);
  const leftTokens = all - from;
  if (!limits.isExact) return from + Math.min(mostTokens, leftTokens);
  const isOdd = leftTokens % 2 === 1;
  if (leftTokens <= mostTokens && !(isOdd && leftTokens > MOST_ODD_TOKENS)) return all;
  const evenTokens = Math.min(mostTokens, leftTokens - (isOdd ? LEAST_TOKENS + 1 : LEAST_TOKENS));
  return from + evenTokens - (evenTokens % 2);
}

/** How many leading tokens of the prompt can come from elsewhere; what is left gives the logits. */
export function reusablePromptTokens(promptTokens: number, { isExact }: ModelRunnerLimits): number {
  return Math.max(0, promptTokens - (isExact ? LEAST_TOKENS : 1));
}

/** How many leading tokens can come from the prefix store. */
export function restorableTokens({ generation, knownTokens }: Sequence, limits: ModelRunnerLimits): number {
  return limits.isExact ? reusablePromptTokens(generation.promptTokens, limits) : knownTokens - 1;
}

/** How many leading tokens others can use: where it matters how they were computed, those of chunks. */
export function keepableTokens({ generation, provenTokens }: Sequence, { isExact }: ModelRunnerLimits): number {
  const { promptTokens } = generation;
  if (!isExact) return provenTokens;
  return promptTokens < LEAST_TOKENS ? 0 : Math.min(provenTokens, promptTokens);
}

/** How much of what a slot holds when it is opened is used. */
export function usedTokens(sequence: Sequence, heldTokens: number, limits: ModelRunnerLimits): number {
  const { generation } = sequence;
  if (generation.lacksPromptLogprobs) return 0; // their logits are wanted: what is held does not have them
  return limits.isExact ? Math.min(heldTokens, reusablePromptTokens(generation.promptTokens, limits)) : heldTokens;
}

/** Whether what is left is computed row by row. */
export function isPrefilled(sequence: Sequence, limits: ModelRunnerLimits): boolean {
  const { computedTokens, knownTokens } = sequence;
  return computedTokens >= (limits.isExact ? chunkedTokens(sequence, limits) : knownTokens - 1);
}
