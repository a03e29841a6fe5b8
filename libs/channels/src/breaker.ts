/** Failures in a row after which nothing is asked for a while. */
const FAILURES_TO_OPEN = 3;
/** The first pause, and the longest: each failed trial doubles it. Chosen: short against a restart of Redis, long against a deadline. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/** Keeps calls away from what fails: after some failures in a row, all but one trial after each pause. */
export class Breaker {
  private failures = 0;
  private pauseMs = FIRST_PAUSE_MS;
  private openUntilMs = 0;
  private hasTrial = false;

  get isOpen(): boolean {
    return this.failures >= FAILURES_TO_OPEN;
  }

  /** Whether a call may be made now; whoever is told so tells how it ended. */
  mayCall(nowMs: number): boolean {
    if (!this.isOpen) return true;
    if (this.hasTrial || nowMs < this.openUntilMs) return false;
    this.hasTrial = true;
    return true;
  }

  succeeded(): void {
    this.failures = 0;
    this.pauseMs = FIRST_PAUSE_MS;
    this.hasTrial = false;
  }

  failed(nowMs: number): void {
    const wasOpen = this.isOpen;
    this.failures++;
    if (!this.isOpen || (wasOpen && !this.hasTrial)) return; // a call of before it opened
    if (wasOpen) this.pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * this.pauseMs);
    this.hasTrial = false;
    this.openUntilMs = nowMs + this.pauseMs;
  }

  /** The call ended without saying anything of the other side: its caller left. */
  abandoned(): void {
    this.hasTrial = false;
  }
}
