/** The time passes in this many parts. A part that comes late counts once: lateness is not counted. */
const PARTS = 10;

/**
 * Calls back after a time in which this process ran. While it did not (a blocked event loop, a stopped process), what others
 * sent waits unread in its sockets: such time says nothing about their silence. Before the call the sockets are read once more.
 */
export class AwakeTimer {
  private interval: NodeJS.Timeout | undefined;
  private passedParts = 0;

  constructor(
    private readonly timeMs: number,
    private readonly onTime: () => void,
  ) {}

  /** Begins, or begins anew. It does not keep the process alive. */
  start(): void {
    this.passedParts = 0;
    this.interval ??= setInterval(() => this.pass(), this.timeMs / PARTS).unref();
  }

  stop(): void {
    clearInterval(this.interval);
    this.interval = undefined;
  }

  private pass(): void {
    if (++this.passedParts === PARTS) setImmediate(() => this.end()); // after the next look at the sockets
  }

  private end(): void {
    if (this.interval === undefined || this.passedParts < PARTS) return; // stopped, or begun anew
    this.stop();
    this.onTime();
  }
}
