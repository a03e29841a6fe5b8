/** Marks kept of what a worker computed, per KV of it. Chosen: ages are then known to half a percent. */
const MARKS_PER_KV = 256;

/**
 * How long a prompt stays in a worker's cache after its last use: the time in which the worker computed as many tokens as its KV has
 * room for beside the running sequences.
 */
export class CacheRetention {
  private computedTokens = 0;
  /** When how much had been computed, oldest first; never more than the last KV full of it. */
  private readonly marks: { readonly atMs: number; readonly computedTokens: number }[] = [];
  private tail = 0;
  private tailSinceMs: number | undefined;

  /** @returns undefined while the worker has not filled its KV once, or does not say how much it has */
  retentionMs(nowMs: number): number | undefined {
    return this.tailSinceMs === undefined ? undefined : nowMs - this.tailSinceMs;
  }

  /** @param kvTokens  that the KV holds in all; 0 when that is not known */
  noteComputed(tokens: number, kvTokens: number, nowMs: number): void {
    this.computedTokens += tokens;
    const last = this.marks.at(-1);
    if (last !== undefined && this.computedTokens - last.computedTokens < kvTokens / MARKS_PER_KV) return;
    this.marks.push({ atMs: nowMs, computedTokens: this.computedTokens });
    const second = this.marks[1];
    if (second === undefined || this.computedTokens - second.computedTokens < kvTokens) return;
    this.marks.shift();
    this.tail = Math.max(0, this.tail - 1);
  }

  /**
   * Finds the newest mark since which the cache was filled once; the marks are in order, so it is near the last one found.
   * @param contextTokens  of the KV, those that running sequences have
   */
  noteRoom(kvTokens: number, contextTokens: number): void {
    const room = kvTokens - contextTokens;
    const isFull = (index: number) =>
      this.computedTokens - (this.marks[index]?.computedTokens ?? this.computedTokens) >= room;
    while (this.tail > 0 && !isFull(this.tail)) this.tail--;
    while (this.tail + 1 < this.marks.length && isFull(this.tail + 1)) this.tail++;
    this.tailSinceMs = kvTokens > 0 && isFull(this.tail) ? this.marks[this.tail]?.atMs : undefined;
  }
}
