/** Arithmetic on histograms: counts of each bucket alone, one more than there are bounds. */

/** What was counted between two looks; `undefined` when the counting began anew meanwhile. */
export function countsBetween(earlier: readonly number[], later: readonly number[]): readonly number[] | undefined {
  const counts = later.map((value, index) => value - (earlier[index] ?? 0));
  return counts.some((value) => value < 0) ? undefined : counts;
}

/** All together. */
export function countsTogether(histograms: readonly (readonly number[])[]): readonly number[] {
  const [first = [], ...others] = histograms;
  return first.map((value, index) => others.reduce((sum, counts) => sum + (counts[index] ?? 0), value));
}

/**
 * The value that a share of the observations does not exceed, estimated as Prometheus' `histogram_quantile` does: evenly within its bucket; beyond the last
 * bound it is that bound.
 * @param share  0 to 1
 * @param bounds  upper ones, rising
 * @returns `undefined` when nothing was counted
 * @see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
 */
export function quantile(share: number, counts: readonly number[], bounds: readonly number[]): number | undefined {
  const total = counts.reduce((sum, value) => sum + value, 0);
  if (total === 0) return undefined;
  const rank = share * total;
  let below = 0;
  for (const [index, upper] of bounds.entries()) {
    const inside = counts[index] ?? 0;
    if (inside > 0 && below + inside >= rank) {
      const lower = bounds[index - 1] ?? 0;
      return lower + (upper - lower) * Math.max(0, (rank - below) / inside);
    }
    below += inside;
  }
  return bounds.at(-1);
}
