import type { PositionLogprobs, TokenLogprob } from '#lib/contracts';
import { decay } from './decay.js';
import { largestLogit } from './largest-logit.js';

/** Bytes that a token adds to a text. */
export type TokenBytes = (tokenId: number) => Uint8Array;

/**
 * Log-probability of one position: the model's own, before temperature, penalties and biases.
 * @param logits    shape [vocabularySize]; unchanged
 * @param topCount  how many of the best candidates are listed, ordered by (logit descending, id ascending)
 * @throws InvalidLogitsError when the logits are no distribution
 */
export function positionLogprobs(
  logits: Float32Array,
  chosenId: number,
  topCount: number,
  bytesOf: TokenBytes,
): PositionLogprobs {
  const total = logSumExp(logits);
  const toLogprob = (tokenId: number): TokenLogprob => ({
    tokenId,
    logprob: logits[tokenId]! - total,
    tokenBytes: Buffer.from(bytesOf(tokenId)),
  });
  return { chosen: toLogprob(chosenId), top: bestIds(logits, topCount).map(toLogprob) };
}

/** Natural logarithm of the sum of e^logit over the whole vocabulary. */
export function logSumExp(logits: Float32Array): number {
  const largest = logits[largestLogit(logits)]!;
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += decay(largest - logits[id]!);
  return largest + Math.log(sum);
}

/** Ids of the best candidates, by insertion: at most a few dozen are asked for, and most of the row is below the last. */
function bestIds(logits: Float32Array, count: number): number[] {
  const best = new Uint32Array(Math.min(count, logits.length));
  if (best.length === 0) return [];
  for (let id = 0; id < best.length; id++) insert(best, id, logits, id);
  const last = best.length - 1;
  let worst = logits[best[last]!]!;
  for (let id = best.length; id < logits.length; id++) {
    if (logits[id]! <= worst) continue;
    insert(best, last, logits, id);
    worst = logits[best[last]!]!;
  }
  return [...best];
}

/** Puts an id, larger than all there, into the first `end` places in order; what stood at `end` is gone. */
function insert(best: Uint32Array, end: number, logits: Float32Array, id: number): void {
  const logit = logits[id]!;
  let at = end;
  for (; at > 0 && logits[best[at - 1]!]! < logit; at--) best[at] = best[at - 1]!;
  best[at] = id;
}
