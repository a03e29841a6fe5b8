/** Chosen: long enough for parts that take seconds each, short enough to forget a beginning that was quick. */
const WINDOW_MS = 30_000;

/** How fast bytes come now, of work that says now and then how far it is. */
export class RecentRate {
  /** Ascending; the first is the last one before the window, or the very first. */
  private readonly seen: { readonly atMs: number; readonly bytesDone: number }[] = [];

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** @returns what the bar shows beside the bytes; nothing while there is only one figure */
  after(bytesDone: number, bytesTotal: number): { bytesPerSecond?: number; etaSeconds?: number } {
    const atMs = this.now();
    this.seen.push({ atMs, bytesDone });
    while (this.seen.length > 2 && (this.seen[1] as { atMs: number }).atMs < atMs - WINDOW_MS) this.seen.shift();
    const first = this.seen[0] as { atMs: number; bytesDone: number };
    const bytesPerSecond = ((bytesDone - first.bytesDone) / (atMs - first.atMs)) * 1000;
    if (!(bytesPerSecond > 0 && Number.isFinite(bytesPerSecond))) return {};
    return { bytesPerSecond, etaSeconds: (bytesTotal - bytesDone) / bytesPerSecond };
  }
}
