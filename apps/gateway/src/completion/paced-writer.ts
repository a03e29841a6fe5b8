/** The part of a socket's or gRPC call's writable side that pacing needs. */
export interface PacedTarget<Chunk> {
  write(chunk: Chunk): boolean;
  once(event: 'drain', listener: () => void): unknown;
  off(event: 'drain', listener: () => void): unknown;
}

/**
 * Writes and says when to wait: what a slow reader does not take stays at the worker. Several writers may wait for the same
 * drain. An aborted signal ends every wait.
 */
export class PacedWriter<Chunk> {
  private draining: Promise<void> | undefined;

  constructor(
    private readonly target: PacedTarget<Chunk>,
    private readonly signal: AbortSignal,
  ) {}

  get isBlocked(): boolean {
    return this.draining !== undefined;
  }

  write(chunk: Chunk): Promise<void> | undefined {
    if (this.signal.aborted) return undefined;
    if (this.target.write(chunk)) return this.draining;
    this.draining ??= this.drained();
    return this.draining;
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.target.off('drain', done);
        this.signal.removeEventListener('abort', done);
        this.draining = undefined;
        resolve();
      };
      this.target.once('drain', done);
      this.signal.addEventListener('abort', done, { once: true });
    });
  }
}
