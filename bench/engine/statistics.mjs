/** Nearest rank. @param {readonly number[]} values  at least one @param {number} share  0 to 1 */
export function quantile(values, share) {
  if (values.length === 0) throw new RangeError('There is no quantile of nothing.');
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** The middle value, or the mean of the two in the middle. */
export function median(values) {
  if (values.length === 0) throw new RangeError('There is no median of nothing.');
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @returns {{median: number, min: number, max: number}} */
export function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** How many times sooner the second than the first, round by round: [least, median, most]. */
export function ratioSpread(slower, faster) {
  const { min, median: middle, max } = spread(slower.map((figure, round) => figure / faster[round]));
  return [min, middle, max];
}

/** In words of a report. @param {number} digits  behind the point */
export function ratioText(ratios, digits) {
  return `ratio ${ratios.map((each) => each.toFixed(digits)).join(' / ')} (least / median / most)`;
}

/**
 * The median of the ratios round by round: a machine that is slow for one round is slow for both.
 * @param {readonly number[]} ours    one figure per round
 * @param {readonly number[]} theirs  of the same rounds
 */
export function pairedRatio(ours, theirs) {
  if (ours.length !== theirs.length)
    throw new RangeError(`${ours.length} figures cannot be paired with ${theirs.length}.`);
  return median(ours.map((figure, round) => figure / theirs[round]));
}
