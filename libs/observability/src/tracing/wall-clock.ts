/** Chosen: beyond the rounding of `Date.now()`, below what anybody would see in a trace. */
const MOST_DRIFT_MS = 5;

/**
 * Turns times of `performance.now()` into times of the day. A process that was suspended, or whose clock was set, follows; what
 * was measured before keeps its durations.
 */
export class WallClock {
  private offsetMs = performance.timeOrigin;

  /** @returns milliseconds since the Unix epoch, with fractions */
  unixMs(atMs: number): number {
    return this.offsetMs + atMs;
  }

  /** Called now and then. */
  adjust(nowMs = performance.now(), unixNowMs = Date.now()): void {
    if (Math.abs(this.offsetMs + nowMs - unixNowMs) > MOST_DRIFT_MS) this.offsetMs = unixNowMs - nowMs;
  }
}
