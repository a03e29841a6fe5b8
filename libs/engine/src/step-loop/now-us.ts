/** The loop's monotonic clock, in microseconds. */
export function nowUs(): number {
  return performance.now() * 1_000;
}
