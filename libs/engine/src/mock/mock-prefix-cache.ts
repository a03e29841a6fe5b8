import { hash } from 'node:crypto';

/** Remembers which prompts' blocks were seen: a bounded set of chained block hashes, least recently used out first. */
export class MockPrefixCache {
  /** In order of use. */
  private readonly blocks = new Set<string>();

  constructor(
    private readonly blockTokens: number,
    /** Blocks it remembers. */
    private readonly capacity: number,
  ) {}

  /** @returns how many leading tokens stand in known blocks; all full blocks are known afterwards */
  visit(tokenIds: ArrayLike<number>, salt: Uint8Array): number {
    let parent = hash('sha256', salt);
    let heldTokens = 0;
    let isHit = true;
    for (let to = this.blockTokens; to <= tokenIds.length; to += this.blockTokens) {
      const ids = Array.prototype.slice.call(tokenIds, to - this.blockTokens, to);
      parent = hash('sha256', `${parent},${ids}`);
      isHit &&= this.blocks.delete(parent);
      if (isHit) heldTokens = to;
      else this.blocks.delete(parent);
      this.blocks.add(parent);
      if (this.blocks.size > this.capacity) this.dropOldest();
    }
    return heldTokens;
  }

  private dropOldest(): void {
    for (const oldest of this.blocks) {
      this.blocks.delete(oldest);
      return;
    }
  }
}
