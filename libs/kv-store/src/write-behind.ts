import { type BlockTier, type TierBlock, TierUnavailableError } from './block-tier.js';

/** Of one call to the tier. Chosen: few trips, and none that takes long. */
const BATCH_BLOCKS = 16;
const BATCH_BYTES = 8 * 1024 * 1024;

export interface WriteBehindOptions {
  /** Bytes of blocks that may wait; further ones are dropped. */
  readonly mostBytes: number;
  /** Blocks that were not written: no room to wait, or the tier did not take them. Nothing is tried again. */
  readonly onDropped: (blocks: number) => void;
}

/** Writes blocks to a slower tier behind everybody's back, in order, one batch at a time. */
export class WriteBehind {
  private readonly waiting: TierBlock[] = [];
  private bytes = 0;
  private running: Promise<void> | undefined;
  private readonly closing = new AbortController();

  constructor(
    private readonly tier: BlockTier,
    private readonly options: WriteBehindOptions,
  ) {}

  /** Of blocks that wait or are being written. */
  get waitingBytes(): number {
    return this.bytes;
  }

  offer(block: TierBlock): void {
    const { mostBytes, onDropped } = this.options;
    if (this.closing.signal.aborted || this.bytes + block.bytes.length > mostBytes) {
      onDropped(1);
      return;
    }
    this.bytes += block.bytes.length;
    this.waiting.push(block);
    this.running ??= this.run();
  }

  /** Resolves when nothing waits any more. */
  async flushed(): Promise<void> {
    await this.running;
  }

  /** Writes what waits for as long as there is time, and takes nothing any more. */
  async close(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.closing.abort(new Error('closing')), timeoutMs);
    await this.running;
    clearTimeout(timer);
    this.closing.abort(new Error('closed'));
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.nextBatch();
      const written = await this.write(batch);
      if (written < batch.length) this.options.onDropped(batch.length - written);
      for (const { bytes } of batch) this.bytes -= bytes.length;
    }
    this.running = undefined;
  }

  private nextBatch(): TierBlock[] {
    let bytes = 0;
    let blocks = 0;
    while (blocks < Math.min(BATCH_BLOCKS, this.waiting.length)) {
      bytes += this.waiting[blocks]!.bytes.length;
      if (blocks > 0 && bytes > BATCH_BYTES) break;
      blocks++;
    }
    return this.waiting.splice(0, blocks);
  }

  private async write(batch: readonly TierBlock[]): Promise<number> {
    const { signal } = this.closing;
    try {
      return await this.tier.write(batch, signal);
    } catch (error) {
      if (error instanceof TierUnavailableError || signal.aborted) return 0;
      throw error;
    }
  }
}
