import type { CachedBlock } from './cached-block.js';

/** Decides which cached block goes first when room is needed. Only leaves go, so a policy need not look after parents. */
export interface EvictionPolicy {
  /** Blocks of one chain, first block first, are new or were found again. */
  used(chain: readonly CachedBlock[]): void;
  /** The block is gone. */
  forget(block: CachedBlock): void;
  /** All blocks, in the order in which they should go; the first that may go does. */
  inOrder(): Iterable<CachedBlock>;
}

/**
 * The block that was used the longest ago goes first. A chain counts as used from its end to its start, so that a block is
 * never older than those behind it, and the oldest one is always a leaf.
 */
export class LeastRecentlyUsed implements EvictionPolicy {
  private readonly blocks = new Set<CachedBlock>();

  used(chain: readonly CachedBlock[]): void {
    for (let index = chain.length - 1; index >= 0; index--) {
      this.blocks.delete(chain[index]!);
      this.blocks.add(chain[index]!);
    }
  }

  forget(block: CachedBlock): void {
    this.blocks.delete(block);
  }

  inOrder(): Iterable<CachedBlock> {
    return this.blocks;
  }
}
