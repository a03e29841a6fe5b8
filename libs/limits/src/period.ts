const DAY_MS = 86_400_000;

/** Quotas and budgets begin anew with each of them, by UTC. */
export const PERIODS = ['day', 'month'] as const;
export type Period = (typeof PERIODS)[number];

/** @returns number of the period: days since the Unix epoch, or months since the year 0 */
export function periodNumber(period: Period, nowMs: number): number {
  if (period === 'day') return Math.floor(nowMs / DAY_MS);
  const now = new Date(nowMs);
  return now.getUTCFullYear() * 12 + now.getUTCMonth();
}

/** @returns milliseconds since the Unix epoch */
export function periodStartMs(period: Period, number: number): number {
  return period === 'day' ? number * DAY_MS : Date.UTC(Math.floor(number / 12), number % 12);
}

/** Time until the next period begins. */
export function periodLeftMs(period: Period, nowMs: number): number {
  return periodStartMs(period, periodNumber(period, nowMs) + 1) - nowMs;
}
