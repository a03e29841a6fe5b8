/** Which of the cached blocks that nobody uses goes first when room is needed. */
export abstract class RetentionPolicy {
  abstract readonly size: number;
  /** Nobody uses the block any more. */
  abstract add(blockId: number): void;
  /** It is used again. */
  abstract remove(blockId: number): void;
  /** Takes out the block to drop. @throws when there is none */
  abstract evict(): number;
}

/** The block that was released longest ago. */
export class LeastRecentlyReleased extends RetentionPolicy {
  private readonly blocks = new Set<number>();

  get size(): number {
    return this.blocks.size;
  }

  add(blockId: number): void {
    this.blocks.add(blockId);
  }

  remove(blockId: number): void {
    this.blocks.delete(blockId);
  }

  evict(): number {
    const oldest = this.blocks.values().next();
    if (oldest.done) throw new Error('there is no block to evict');
    this.blocks.delete(oldest.value);
    return oldest.value;
  }
}
