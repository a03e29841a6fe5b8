/** Placements that the pace is taken from. Chosen: a burst of room for a few is not the pace, a minute ago is not now. */
const REMEMBERED = 32;
/** Placements without which what was known before is the better guess. */
const ENOUGH = 8;
const SHORTEST_HINT_MS = 250;
const LONGEST_HINT_MS = 60_000;
/** Before anything was observed. */
const FIRST_HINT_MS = 1_000;

/** How fast waiting requests get their places, and so how long a queue will take: the source of retry hints. */
export class DrainPace {
  /** Since the queue was last empty. */
  private placedMs: number[] = [];
  private knownIntervalMs: number | undefined;

  /** One that waited got its place. */
  notePlaced(nowMs: number): void {
    this.placedMs.push(nowMs);
    if (this.placedMs.length > REMEMBERED) this.placedMs.shift();
  }

  /** The queue ran empty: the time to the next placement says nothing about the pace. */
  noteEmpty(): void {
    this.knownIntervalMs = this.meanIntervalMs();
    this.placedMs = [];
  }

  /** Milliseconds until a queue of this length has gone; undefined before anything was observed. */
  waitMs(queueLength: number, nowMs: number): number | undefined {
    const intervalMs = this.meanIntervalMs();
    if (intervalMs === undefined) return undefined;
    const first = this.placedMs[0];
    // When nobody has got a place for longer than usual, the pace is slower than it was.
    const stalledMs = first === undefined ? 0 : (nowMs - first) / this.placedMs.length;
    return Math.max(intervalMs, stalledMs) * queueLength;
  }

  /** As `waitMs`, as a hint for those who come again. */
  hintMs(queueLength: number, nowMs: number): number {
    const waitMs = this.waitMs(queueLength, nowMs);
    return waitMs === undefined ? FIRST_HINT_MS : boundedHintMs(waitMs);
  }

  private meanIntervalMs(): number | undefined {
    const { placedMs, knownIntervalMs } = this;
    const intervals = placedMs.length - 1;
    if (intervals < 1 || (intervals < ENOUGH && knownIntervalMs !== undefined)) return knownIntervalMs;
    return (placedMs.at(-1)! - placedMs[0]!) / intervals;
  }
}

/** A time to come again that is neither pointless nor too far away to be known. */
export function boundedHintMs(ms: number): number {
  return Math.round(Math.min(LONGEST_HINT_MS, Math.max(SHORTEST_HINT_MS, ms)));
}
