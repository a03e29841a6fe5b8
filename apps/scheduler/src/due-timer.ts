import { nowMs } from './scheduler-clock.js';

/** One timer for the earliest of many moments. */
export class DueTimer {
  private timer: NodeJS.Timeout | undefined;
  private dueMs = Number.POSITIVE_INFINITY;
  private isClosed = false;

  /** @param act  what is due; it says when it wants to be called again */
  constructor(private readonly act: () => void) {}

  /** Acts then, or before when it was to. @param dueMs  of `nowMs` */
  wakeAt(dueMs: number): void {
    if (this.isClosed || dueMs >= this.dueMs) return;
    clearTimeout(this.timer);
    this.dueMs = dueMs;
    this.timer = setTimeout(
      () => {
        this.dueMs = Number.POSITIVE_INFINITY;
        this.act();
      },
      Math.max(1, Math.ceil(dueMs - nowMs())),
    );
  }

  /** Acts no more. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
  }
}
