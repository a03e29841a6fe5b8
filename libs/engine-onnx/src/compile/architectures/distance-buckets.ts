/** Buckets that MPNet has: half of them for what lies ahead. Its models were all made with these numbers. */
export const DISTANCE_BUCKETS = 32;
/** Distances from here on share the last bucket. */
const FARTHEST = 128;
/** Each side has its own buckets; half of those stand for one distance each, the others for ever wider ranges. */
const SIDE = DISTANCE_BUCKETS / 2;
const SINGLE = SIDE / 2;

/**
 * The bucket of every distance from a token to one that it looks at, from `1 - contextTokens` (far behind) to
 * `contextTokens - 1` (far ahead), [2 × contextTokens - 1].
 * @see Raffel et al. 2020, arXiv:1910.10683, section 2.1, for the buckets, and arXiv:2004.09297 for MPNet
 */
export function distanceBuckets(contextTokens: number): number[] {
  return Array.from({ length: 2 * contextTokens - 1 }, (_, index) => bucketOf(index - contextTokens + 1));
}

function bucketOf(distance: number): number {
  const side = distance > 0 ? SIDE : 0;
  const far = Math.abs(distance);
  if (far < SINGLE) return side + far;
  const beyond = Math.log2(far / SINGLE) / Math.log2(FARTHEST / SINGLE); // of powers of two exact
  return side + Math.min(SIDE - 1, SINGLE + Math.floor(beyond * (SIDE - SINGLE)));
}
