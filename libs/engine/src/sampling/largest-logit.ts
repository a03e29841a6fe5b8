/** The logits hold no choice: NaN, +∞, or nothing above -∞. */
export class InvalidLogitsError extends Error {
  override readonly name = 'InvalidLogitsError';
}

/**
 * The id of the largest logit, the lowest of equal ones.
 * @throws InvalidLogitsError
 */
export function largestLogit(logits: Float32Array): number {
  const size = logits.length;
  let best = 0;
  let largest = -Infinity;
  let id = 0;
  for (; id + 7 < size; id += 8) {
    if (
      logits[id]! <= largest &&
      logits[id + 1]! <= largest &&
      logits[id + 2]! <= largest &&
      logits[id + 3]! <= largest &&
      logits[id + 4]! <= largest &&
      logits[id + 5]! <= largest &&
      logits[id + 6]! <= largest &&
      logits[id + 7]! <= largest
    ) {
      continue; // nearly always, and never with a NaN among them
    }
    for (let at = id; at < id + 8; at++) {
      if (!(logits[at]! <= largest)) {
        largest = numberAt(logits, at);
        best = at;
      }
    }
  }
  for (; id < size; id++) {
    if (!(logits[id]! <= largest)) {
      largest = numberAt(logits, id);
      best = id;
    }
  }
  if (Number.isFinite(largest)) return best;
  throw new InvalidLogitsError(largest > 0 ? `the logit of token ${best} is infinite` : 'no token has a finite logit');
}

function numberAt(logits: Float32Array, id: number): number {
  const logit = logits[id]!;
  if (Number.isNaN(logit)) throw new InvalidLogitsError(`the logit of token ${id} is not a number`);
  return logit;
}
