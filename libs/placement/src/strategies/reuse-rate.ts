/** Of one observation in the next: what was placed a thousand requests ago counts a third. */
const FORGETTING = 0.999;

/**
 * How likely a block is found again after it was computed, or found: each find follows one use, so it is finds over uses. How often it is found in all does not
 * matter to what its eviction costs: the first that misses it computes it, and those behind find it.
 */
export class ReuseRate {
  private foundBlocks = 0;
  private usedBlocks = 1;

  note(foundBlocks: number, promptBlocks: number): void {
    this.foundBlocks = FORGETTING * this.foundBlocks + foundBlocks;
    this.usedBlocks = FORGETTING * this.usedBlocks + promptBlocks;
  }

  /** 0 to 1 */
  get perUse(): number {
    return this.foundBlocks / Math.max(1, this.usedBlocks);
  }
}
