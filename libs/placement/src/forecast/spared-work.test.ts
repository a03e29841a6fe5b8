import { describe, expect, it } from 'vitest';
import { SparedWork } from './spared-work.js';

describe('the work that caches spare', () => {
  it('is a share of the time that has passed, each worker its own', () => {
    const spared = new SparedWork();
    expect(spared.rateOf('a', undefined, 0)).toBe(0);
    for (let nowMs = 0; nowMs <= 10_000; nowMs += 100) {
      spared.placed('a', 50, undefined, nowMs);
      spared.placed('b', 10, undefined, nowMs);
    }
    expect(spared.rateOf('a', undefined, 10_000)).toBeCloseTo(0.505, 6);
    expect(spared.rateOf('b', undefined, 10_000)).toBeCloseTo(0.101, 6);
    expect(spared.rateOf('c', undefined, 10_000)).toBe(0);
  });

  it('is forgotten with what the caches hold', () => {
    const spared = new SparedWork();
    for (let nowMs = 0; nowMs < 20_000; nowMs += 10) spared.placed('a', 5, 1_000, nowMs);
    const before = spared.rateOf('a', 1_000, 20_000);
    expect(before).toBeCloseTo(0.5, 1);
    expect(spared.rateOf('a', 1_000, 22_000)).toBeCloseTo(before / Math.E, 6);
    expect(spared.rateOf('a', 4_000, 22_000)).toBeLessThan(before); // over a longer time it comes to less
  });

  it('is kept of a bounded number of workers, those placed on last', () => {
    const spared = new SparedWork();
    for (let index = 0; index < 5_000; index++) spared.placed(`w${index}`, 10, undefined, index);
    spared.placed('w4000', 10, undefined, 5_000);
    for (let index = 5_000; index < 9_000; index++) spared.placed(`w${index}`, 10, undefined, index);
    expect(spared.rateOf('w0', undefined, 9_000)).toBe(0);
    expect(spared.rateOf('w4000', undefined, 9_000)).toBeGreaterThan(0);
  });
});
