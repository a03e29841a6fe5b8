export interface BackOffOptions {
  /** First wait, in milliseconds. Default 100. */
  readonly initialMs?: number;
  /** Longest wait, in milliseconds. Default 2,000. */
  readonly maxMs?: number;
  /** In [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Waits between attempts: each twice the one before, up to a bound, with half of it random, so that many clients of a
 * restarted server do not come back at once.
 */
export class BackOff {
  private readonly initialMs: number;
  private readonly maxMs: number;
  private readonly random: () => number;
  private attempts = 0;

  constructor(options: BackOffOptions = {}) {
    this.initialMs = options.initialMs ?? 100;
    this.maxMs = options.maxMs ?? 2_000;
    this.random = options.random ?? Math.random;
  }

  /** The wait before the next attempt, in milliseconds. */
  nextMs(): number {
    const fullMs = Math.min(this.maxMs, this.initialMs * 2 ** Math.min(this.attempts++, 30));
    return fullMs * (0.5 + this.random() / 2);
  }

  /** After a success. */
  reset(): void {
    this.attempts = 0;
  }
}
