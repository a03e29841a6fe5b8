/** A block came into a worker's cache or left it. */
export interface BlockChange {
  readonly kind: 'stored' | 'removed';
  readonly blockId: number;
}

export interface PeriodicReport {
  readonly workerIndex: number;
  /** From 1. */
  readonly sequence: number;
  /** Of the worker's cache since its report before, oldest first. */
  readonly changes: readonly BlockChange[];
}

/** When workers report that do so at intervals: one after the other, so that each does once in each interval. */
export class PeriodicReports {
  private readonly changes: BlockChange[][];
  private count = 0;

  constructor(
    private readonly intervalS: number,
    private readonly workers: number,
  ) {
    this.changes = Array.from({ length: workers }, () => []);
  }

  /** When the next one is due. */
  get nextS(): number {
    return ((this.count + 1) * this.intervalS) / this.workers;
  }

  /** It will be in the worker's next report. */
  note(workerIndex: number, change: BlockChange): void {
    this.changes[workerIndex]!.push(change);
  }

  /** The reports that are due until then, and were not asked for before. */
  *dueUntil(untilS: number): Generator<PeriodicReport> {
    for (;;) {
      if (this.nextS > untilS) return;
      const workerIndex = this.count % this.workers;
      const sequence = Math.floor(this.count / this.workers) + 1;
      this.count++;
      yield { workerIndex, sequence, changes: this.changes[workerIndex]!.splice(0) };
    }
  }
}
