import type { LeaseLoad } from './lease-table.js';

/**
 * How many generations a worker holds without a lease of ours: of an earlier life of the scheduler, or sent there without one.
 * Only reports tell, by what they say beyond our leases (the excess). A lease on its way makes the excess too small, a release that
 * crossed the report makes it too large; so it bounds the number, and within the bounds what was known before stays:
 * | bound | is |
 * |---|---|
 * | least | excess − leases released since the report before |
 * | most | excess + leases granted since the report before, and no more than the larger of the last two excesses |
 */
export class UnleasedGenerations {
  private knownCount = 0;
  private lastExcess: number | undefined;
  private lastGranted = 0;
  private lastReleased = 0;

  get count(): number {
    return this.knownCount;
  }

  /** @param held  generations the worker says it runs or has waiting */
  note(held: number, load: LeaseLoad): void {
    const excess = held - load.generations;
    const isFirst = this.lastExcess === undefined;
    const least = Math.max(0, excess - (load.releasedGenerations - this.lastReleased));
    const sinceGranted = excess + load.grantedGenerations - this.lastGranted;
    const most = Math.max(least, Math.min(sinceGranted, Math.max(excess, this.lastExcess ?? excess)));
    this.knownCount = Math.max(least, Math.min(most, isFirst ? excess : this.knownCount));
    this.lastExcess = excess;
    this.lastGranted = load.grantedGenerations;
    this.lastReleased = load.releasedGenerations;
  }
}
