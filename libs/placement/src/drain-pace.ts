/** Weight of the newest interval. Chosen: the last ten or so count. */
const NEWEST_WEIGHT = 0.2;
const SHORTEST_HINT_MS = 250;
const LONGEST_HINT_MS = 60_000;
/** Before anything was observed. */
const FIRST_HINT_MS = 1_000;

/** How fast waiting requests get their places, and so how long a queue will take: the source of retry hints. */
export class DrainPace {
  private lastMs: number | undefined;
  private intervalMs: number | undefined;

  /** One that waited got its place. */
  notePlaced(nowMs: number): void {
    if (this.lastMs !== undefined) {
      const interval = nowMs - this.lastMs;
      this.intervalMs = (this.intervalMs ?? interval) * (1 - NEWEST_WEIGHT) + interval * NEWEST_WEIGHT;
    }
    this.lastMs = nowMs;
  }

  /** The queue ran empty: the time to the next placement says nothing about the pace. */
  noteEmpty(): void {
    this.lastMs = undefined;
  }

  /** Milliseconds until a queue of this length has gone. */
  hintMs(queueLength: number): number {
    if (this.intervalMs === undefined) return FIRST_HINT_MS;
    return Math.round(Math.min(LONGEST_HINT_MS, Math.max(SHORTEST_HINT_MS, this.intervalMs * queueLength)));
  }
}
