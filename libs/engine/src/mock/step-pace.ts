/** Longest time the schedule may lag behind before it starts anew, in milliseconds; a machine that slept must not race. */
const LONGEST_LAG_MS = 100;
/** A step that begins this long after the one before began anew, in milliseconds; less is the loop's own work. */
const LONGEST_GAP_MS = 5;

/** Paces steps of equal length on the monotonic clock: single ones may be a millisecond off, a thousand of them are not. */
export class StepPace {
  private nextMs = 0;
  private endedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly stepMs: number) {}

  /** Resolves when the step that begins now is over. */
  async step(): Promise<void> {
    if (this.stepMs === 0) return;
    const nowMs = performance.now();
    const isRunning =
      nowMs - this.endedMs < Math.max(this.stepMs, LONGEST_GAP_MS) && nowMs - this.nextMs < LONGEST_LAG_MS;
    this.nextMs = (isRunning ? this.nextMs : nowMs) + this.stepMs;
    const leftMs = Math.floor(this.nextMs - nowMs);
    if (leftMs >= 1) await new Promise((resolve) => setTimeout(resolve, leftMs));
    this.endedMs = performance.now();
  }
}
