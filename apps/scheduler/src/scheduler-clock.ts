import { performance } from 'node:perf_hooks';

/**
 * The scheduler's clock: milliseconds since the Unix epoch as they were when the process started, counted on by a clock
 * that never goes back. The wall clock may be set meanwhile: times that others give or get are translated by these two.
 */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** A time of the wall clock on the scheduler's clock. */
export function fromUnixMs(unixMs: number): number {
  return nowMs() + (unixMs - Date.now());
}

/** A time of the scheduler's clock on the wall clock, in whole milliseconds. */
export function toUnixMs(schedulerMs: number): number {
  return Math.floor(schedulerMs - nowMs() + Date.now());
}
