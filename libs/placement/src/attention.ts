/**
 * How long its owner was away. The owner comes by at every interval; when it comes much later, it did not run meanwhile (its
 * process was stopped, or its loop was busy), heard nobody, and must not take that time for the silence of others.
 */
export class Attention {
  constructor(
    private readonly intervalMs: number,
    private lastMs: number,
  ) {}

  /** The owner comes by. @returns milliseconds it was away beyond the interval; 0 when it missed less than one interval */
  comeBy(nowMs: number): number {
    const awayMs = nowMs - this.lastMs - this.intervalMs;
    this.lastMs = nowMs;
    return awayMs > this.intervalMs ? awayMs : 0;
  }
}
