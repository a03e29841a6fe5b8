import { describe, expect, it } from 'vitest';
import { RecentRate } from './recent-rate.js';

describe('RecentRate', () => {
  it('given a quick beginning and then slower work, when half a minute has passed, then only the slower work counts', () => {
    let nowMs = 0;
    const rate = new RecentRate(() => nowMs);
    expect(rate.after(0, 10_000)).toEqual({});
    nowMs = 1_000;
    expect(rate.after(5_000, 10_000)).toEqual({ bytesPerSecond: 5_000, etaSeconds: 1 });
    for (let i = 1; i <= 40; i++) {
      nowMs += 1_000;
      rate.after(5_000 + i * 10, 10_000);
    }
    nowMs += 1_000;
    expect(rate.after(5_410, 10_000)).toEqual({ bytesPerSecond: 10, etaSeconds: 459 });
  });

  it('given two figures at one moment or no progress, when asked, then there is no rate', () => {
    let nowMs = 0;
    const rate = new RecentRate(() => nowMs);
    rate.after(0, 100);
    expect(rate.after(50, 100)).toEqual({});
    const standing = new RecentRate(() => nowMs);
    standing.after(10, 100);
    nowMs = 5_000;
    expect(standing.after(10, 100)).toEqual({});
  });
});
