import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlidingWindow } from './sliding-window.js';

const MINUTE_MS = 60_000;

describe('a sliding window', () => {
  it('given uses whenever there is room, then no time of its length ever has more than the limit', () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ afterMs: fc.nat(20_000), amount: fc.integer({ min: 1, max: 8 }) }), { maxLength: 200 }),
        (wishes) => {
          const window = new SlidingWindow(MINUTE_MS);
          const uses: { atMs: number; amount: number }[] = [];
          let nowMs = 1_000_000;
          for (const { afterMs, amount } of wishes) {
            nowMs += afterMs;
            if (window.retryAfterMs(amount, 10, nowMs) > 0) continue;
            window.use(amount, nowMs);
            uses.push({ atMs: nowMs, amount });
          }
          for (const { atMs } of uses) {
            const within = uses.filter((use) => use.atMs <= atMs && use.atMs > atMs - MINUTE_MS);
            expect(within.reduce((sum, use) => sum + use.amount, 0)).toBeLessThanOrEqual(10);
          }
        },
      ),
    ));

  it('given no room, when the time it names has passed, then there is room, and a moment earlier there is not', () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ afterMs: fc.nat(9_000), amount: fc.integer({ min: 1, max: 5 }) }), { maxLength: 40 }),
        fc.integer({ min: 1, max: 10 }),
        (wishes, amount) => {
          const window = new SlidingWindow(MINUTE_MS);
          let nowMs = 5_000_000;
          for (const wish of wishes) {
            nowMs += wish.afterMs;
            if (window.retryAfterMs(wish.amount, 10, nowMs) === 0) window.use(wish.amount, nowMs);
          }
          const waitMs = window.retryAfterMs(amount, 10, nowMs);
          expect(waitMs).toBeLessThanOrEqual(MINUTE_MS + 1_000);
          if (waitMs > 0) expect(window.retryAfterMs(amount, 10, nowMs + waitMs - 1)).toBeGreaterThan(0);
          expect(window.retryAfterMs(amount, 10, nowMs + waitMs)).toBe(0);
        },
      ),
    ));

  it('given what was not needed, when settled, then it is free again; after the window it changes nothing', () => {
    const window = new SlidingWindow(MINUTE_MS);
    const use = window.use(90, 0);
    expect(window.state(100, 1_000).remaining).toBe(10);
    window.settle(use, 30, 2_000);
    expect(window.state(100, 2_000).remaining).toBe(70);
    const late = window.use(50, 3_000);
    window.settle(late, 10, 3_000 + 2 * MINUTE_MS);
    expect(window.state(100, 3_000 + 2 * MINUTE_MS).remaining).toBe(100);
  });

  it('given more than was reserved, when settled, then it counts, and nothing more fits', () => {
    const window = new SlidingWindow(MINUTE_MS);
    window.settle(window.use(5, 0), 12, 0);
    expect(window.state(10, 0).remaining).toBe(0);
    expect(window.retryAfterMs(1, 10, 0)).toBe(61_000);
  });

  it('given more than the limit, then it never fits', () => {
    expect(new SlidingWindow(MINUTE_MS).retryAfterMs(11, 10, 0)).toBe(Infinity);
  });

  it('given uses, then the reset is when the last has fallen out', () => {
    const window = new SlidingWindow(MINUTE_MS);
    expect(window.state(10, 0).resetMs).toBe(0);
    window.use(1, 500);
    expect(window.state(10, 500).resetMs).toBe(60_500);
  });
});
