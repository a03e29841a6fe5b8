/** Workers followed at once; of more, those that were placed on the longest ago are forgotten. */
const MOST_WORKERS = 4_096;

/** Lives of a prompt in the caches over which is averaged. Chosen on two public traces, where it matters little between one and three. */
const LIVES = 2;

interface Spared {
  /** What it comes to, old work counting less. */
  workMs: number;
  atMs: number;
}

/**
 * How much work the cache of each worker spares lately: milliseconds of prefill in each millisecond that passes. Whoever comes for what
 * it holds comes there, and waits or computes it elsewhere when the worker is busy.
 */
export class SparedWork {
  private readonly workers = new Map<string, Spared>();
  private sinceMs: number | undefined;

  /**
   * A prompt goes to the worker.
   * @param sparedMs     work that it does not have because of what is cached
   * @param retentionMs  how long a prompt stays in the caches, on average; undefined while that is not known: then nothing is forgotten
   */
  placed(workerId: string, sparedMs: number, retentionMs: number | undefined, nowMs: number): void {
    this.sinceMs ??= nowMs;
    const workMs = this.sumMs(workerId, retentionMs, nowMs) + sparedMs;
    this.workers.delete(workerId);
    this.workers.set(workerId, { workMs, atMs: nowMs });
    if (this.workers.size > MOST_WORKERS) this.workers.delete(this.workers.keys().next().value!); // there are some
  }

  /** Milliseconds per millisecond; 0 of a worker that nobody was placed on. */
  rateOf(workerId: string, retentionMs: number | undefined, nowMs: number): number {
    const seenMs = nowMs - (this.sinceMs ?? nowMs);
    return this.sumMs(workerId, retentionMs, nowMs) / Math.max(1, Math.min(horizonMs(retentionMs), seenMs));
  }

  private sumMs(workerId: string, retentionMs: number | undefined, nowMs: number): number {
    const spared = this.workers.get(workerId);
    if (spared === undefined) return 0;
    return spared.workMs * Math.exp(-(nowMs - spared.atMs) / horizonMs(retentionMs));
  }
}

const horizonMs = (retentionMs: number | undefined) =>
  retentionMs === undefined ? Number.POSITIVE_INFINITY : Math.max(1, LIVES * retentionMs);
