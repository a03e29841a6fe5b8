/** Numbers with their units, for people. */

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const ONE_DIGIT = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export function count(value: number): string {
  return WHOLE.format(value);
}

/** `38 ms`, `1.4 s`. */
export function duration(ms: number): string {
  if (ms >= 1_000) return `${ONE_DIGIT.format(ms / 1_000)} s`;
  return ms < 10 ? `${ONE_DIGIT.format(ms)} ms` : `${WHOLE.format(ms)} ms`;
}

/** `41.2`; whole above a hundred. */
export function rate(perSecond: number): string {
  return perSecond >= 100 ? WHOLE.format(perSecond) : ONE_DIGIT.format(perSecond);
}
