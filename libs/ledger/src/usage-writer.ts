import type { UsageEntry } from '#lib/limits';

/** A batch is written when it has so many entries, or so long after its first. */
const BATCH_ENTRIES = 500;
const FLUSH_INTERVAL_MS = 1_000;
/** Entries that may wait while the ledger cannot be reached: half a kilobyte each. */
const MAX_WAITING = 20_000;

/** Writes what was used in batches, in order; what cannot be written waits, within a bound. */
export class UsageWriter {
  private waiting: UsageEntry[] = [];
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> | undefined;

  /** @param onFailure  told of each batch that could not be written; it is tried again */
  constructor(
    private readonly append: (entries: readonly UsageEntry[]) => Promise<void>,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  /** Whether nothing more should be let in that would have to be written. */
  get isFull(): boolean {
    return this.waiting.length >= MAX_WAITING;
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  add(entry: UsageEntry): void {
    this.waiting.push(entry);
    // Beyond that many a write runs already, or the last one failed and is tried again by the timer.
    if (this.waiting.length === BATCH_ENTRIES) this.writeOrRetry();
    else this.writeLater();
  }

  /** Writes what waits. @throws what the ledger throws; it is tried again */
  async flush(): Promise<void> {
    try {
      while (this.waiting.length > 0) await this.write();
    } catch (error) {
      this.writeLater();
      throw error;
    }
  }

  private writeLater(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.writeOrRetry();
    }, FLUSH_INTERVAL_MS).unref();
  }

  private writeOrRetry(): void {
    if (this.writing !== undefined) return; // it goes on until nothing waits
    this.write().catch((error: unknown) => {
      this.onFailure(error);
      this.writeLater();
    });
  }

  /** One after another: what is written is at the front. */
  private write(): Promise<void> {
    this.writing ??= this.writeAll().finally(() => {
      this.writing = undefined;
    });
    return this.writing;
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.slice(0, BATCH_ENTRIES);
      await this.append(batch);
      this.waiting.splice(0, batch.length);
    }
  }
}
