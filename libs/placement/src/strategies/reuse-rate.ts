/** Of one observation in the next: what was placed a thousand requests ago counts a third. */
const FORGETTING = 0.999;

/** How often a block that was computed is found again, on average: blocks found over blocks computed. */
export class ReuseRate {
  private foundBlocks = 0;
  private computedBlocks = 1;

  note(foundBlocks: number, promptBlocks: number): void {
    this.foundBlocks = FORGETTING * this.foundBlocks + foundBlocks;
    this.computedBlocks = FORGETTING * this.computedBlocks + promptBlocks - foundBlocks;
  }

  get perComputedBlock(): number {
    return this.foundBlocks / Math.max(1, this.computedBlocks);
  }
}
