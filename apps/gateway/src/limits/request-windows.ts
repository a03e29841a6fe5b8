import type { ThrottlerStorage } from '@nestjs/throttler';
import { SlidingWindow } from '#lib/limits';

type Record = Awaited<ReturnType<ThrottlerStorage['increment']>>;

interface Window {
  readonly requests: SlidingWindow;
  readonly windowMs: number;
}

const SWEEP_INTERVAL_MS = 60_000;

/**
 * Requests in a window that moves along, in memory: never more than the limit in any `ttl`, which the throttler's own storage
 * lets happen where two of its windows meet. A request that is not let in is not counted, and blocks nobody. Times of the
 * answers are seconds, with their fractions.
 */
export class MemoryRequestWindows implements ThrottlerStorage {
  private readonly windows = new Map<string, Window>();
  private sweptAtMs = performance.now();

  async increment(key: string, ttl: number, limit: number): Promise<Record> {
    const nowMs = performance.now();
    this.sweep(nowMs);
    let window = this.windows.get(key);
    if (window?.windowMs !== ttl) window = { requests: new SlidingWindow(ttl), windowMs: ttl };
    this.windows.set(key, window);
    const waitMs = window.requests.retryAfterMs(1, limit, nowMs);
    if (waitMs === 0) window.requests.use(1, nowMs);
    const { resetMs } = window.requests.state(limit, nowMs);
    return {
      totalHits: window.requests.used(nowMs),
      timeToExpire: resetMs / 1_000,
      isBlocked: waitMs > 0,
      timeToBlockExpire: waitMs / 1_000,
    };
  }

  /** Forgets windows that have nothing in them any more. */
  private sweep(nowMs: number): void {
    if (nowMs - this.sweptAtMs < SWEEP_INTERVAL_MS) return;
    this.sweptAtMs = nowMs;
    for (const [key, { requests }] of this.windows) if (requests.used(nowMs) === 0) this.windows.delete(key);
  }
}
