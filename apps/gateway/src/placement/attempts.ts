import { FailureCode } from '#lib/contracts';
import { pause } from './pause.js';

/** DESIGN, "Lease": at most 3, and only what never produced a token. */
const MAX_ATTEMPTS = 3;
const LONGEST_RETRY_WAIT_MS = 1_000;
const HAND_BACK_PAUSE_MS = 20;

/** The tries of one piece of work on workers. */
export class Attempts {
  /** Workers that refused or lost it. */
  readonly avoidWorkerIds: string[] = [];
  private failedCount = 0;

  get failed(): number {
    return this.failedCount;
  }

  /**
   * Counts a try that may be repeated. A worker that drains hands back what it has not begun: that is its end, and no try. The request's
   * deadline bounds it.
   * @returns whether there may be another one
   */
  mayFollow(code: FailureCode): boolean {
    return code === FailureCode.DRAINING || ++this.failedCount < MAX_ATTEMPTS;
  }

  /** Avoids a worker from now on, and waits as long as it asks for. @throws the signal's reason when it aborts */
  async passOver(workerId: string, retryAfterMs: number, signal: AbortSignal): Promise<void> {
    // One that was avoided was the only one: whoever named it learns soon that it drains.
    if (this.avoidWorkerIds.includes(workerId)) await pause(HAND_BACK_PAUSE_MS, signal);
    else this.avoidWorkerIds.push(workerId);
    if (retryAfterMs > 0) await pause(Math.min(retryAfterMs, LONGEST_RETRY_WAIT_MS), signal);
  }
}
