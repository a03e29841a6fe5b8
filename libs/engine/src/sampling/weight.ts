/** Weight of the best candidate. */
export const BEST_WEIGHT = 2 ** 34;

/** Of a factor of two. */
const STEPS = 1024;
/** Steps of distance: each halves the weight by a thousandth part of an octave. */
export const STEPS_PER_NAT = STEPS * Math.LOG2E;
const NATS_PER_STEP = Math.LN2 / STEPS;
/** Far beyond the last candidate of a language model, so that the branch on it is always the same one. */
const HALVINGS = 1024;
/** Above this a float64 has no fraction: adding it rounds to whole numbers. */
const ROUNDING = 2 ** 52;

/** No candidate farther from the best one weighs anything, in nats after temperature: e^-distance × 2^34 is below one half. */
export const WEIGHTLESS_DISTANCE = 35 * Math.LN2;

const powers = Float64Array.from({ length: HALVINGS }, (_, i) => 2 ** (34 - i));
const fractions = Float64Array.from({ length: STEPS }, (_, i) => 2 ** (-i / STEPS));

/**
 * What a candidate weighs in the draw: e^-distance, in units of 2^-34 of the best one's, rounded to whole ones. Sums of whole
 * numbers are exact up to 2^53, so for vocabularies of up to 2^19 tokens no result depends on the order in which it was added
 * up, and whoever computes it by the definition, however slowly, has the same token.
 *
 * From two tables and two terms of the series, to 6e-11 of the exponential: `Math.exp` takes several times as long, which is
 * much over a whole vocabulary, and may give other digits in another version of the runtime.
 * @param distance  from the best candidate, in nats after temperature; ≥ 0
 */
export function weightAt(distance: number): number {
  const position = distance * STEPS_PER_NAT;
  if (!(position < HALVINGS * STEPS)) return 0;
  const step = position | 0;
  const rest = distance - step * NATS_PER_STEP;
  const exponential = powers[step >> 10]! * fractions[step & 1023]! * (1 - rest + rest * rest * 0.5);
  return exponential + ROUNDING - ROUNDING;
}
