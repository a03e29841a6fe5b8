import type { EvictionPolicy } from './eviction-policy.js';

/**
 * `lru`: the block that was used the longest ago goes first. A chain counts as used from its end to its start, so that a block
 * is never older than those behind it, and the oldest one is always a leaf.
 */
export class LeastRecentlyUsed<Block> implements EvictionPolicy<Block> {
  private readonly blocks = new Set<Block>();

  found(chain: readonly Block[]): void {
    this.kept(chain);
  }

  kept(chain: readonly Block[]): void {
    for (let index = chain.length - 1; index >= 0; index--) {
      this.blocks.delete(chain[index]!);
      this.blocks.add(chain[index]!);
    }
  }

  forget(block: Block): void {
    this.blocks.delete(block);
  }

  inOrder(): Iterable<Block> {
    return this.blocks;
  }
}
