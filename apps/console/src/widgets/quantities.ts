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

/** `12 %`, `0.4 %`. @param ratio  0 to 1 */
export function percent(ratio: number): string {
  if (ratio > 0 && ratio < 0.01) return `${ONE_DIGIT.format(ratio * 100)} %`;
  return `${WHOLE.format(ratio * 100)} %`;
}

/** `1.5 GB`, of a thousand each. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 1_000 && unit < units.length - 1) {
    scaled /= 1_000;
    unit++;
  }
  return `${scaled < 10 && unit > 0 ? ONE_DIGIT.format(scaled) : WHOLE.format(scaled)} ${units[unit]}`;
}

/** `3 d 4 h`, `12 min`: the two largest units that say something. */
export function age(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.max(0, Math.floor(seconds))} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `2026-11-28`, by the clock of this browser. @param unixS  seconds since the Unix epoch */
export function day(unixS: number): string {
  return DAY.format(unixS * 1_000);
}

const DAY = new Intl.DateTimeFormat('sv', { year: 'numeric', month: '2-digit', day: '2-digit' });
