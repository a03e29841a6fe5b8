/** Log-softmax by its definition, in double precision. */
export function naiveLogprobs(logits: ArrayLike<number>): number[] {
  const row = Array.from(logits);
  const largest = Math.max(...row);
  const total = row.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  return row.map((logit) => logit - largest - Math.log(total));
}

/** Ids by (value descending, id ascending). */
export function bestOf(values: readonly number[], count: number): number[] {
  return values
    .map((_, id) => id)
    .sort((a, b) => values[b]! - values[a]! || a - b)
    .slice(0, count);
}
