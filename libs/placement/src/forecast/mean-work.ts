/** Of one observation in the next: what was placed a thousand prompts ago counts a third. */
const FORGETTING = 0.999;

/** How long prompts keep a worker busy, and how much of such a time others bear before they go elsewhere. */
export class MeanWork {
  private weight = 0;
  private sumMs = 0;

  note(workMs: number): void {
    this.weight = FORGETTING * this.weight + 1;
    this.sumMs = FORGETTING * this.sumMs + workMs;
  }

  /**
   * Of those who come to a worker that is busy for `workMs`, all wait as long as the mean prompt takes; of a longer time x,
   * a share of mean / x: the others have somewhere better to go.
   */
  bearable(workMs: number): number {
    const meanMs = this.weight > 0 ? this.sumMs / this.weight : 0;
    return workMs <= meanMs || meanMs === 0 ? workMs : meanMs * (1 + Math.log(workMs / meanMs));
  }
}
