import { describe, expect, it } from 'vitest';
import { ChunkPace } from './chunk-pace.js';

const LIMITS = { chunkTokens: 256, chunkBesideDecode: { leastTokens: 12, tokensPerRow: 2.5, mostSlowdown: 3 } };

/** Steps of rows that take `decodeUs`, and of chunks that take `baseUs + tokens · usPerToken`. @returns tokens of each */
function stepsOf(pace: ChunkPace, steps: number, rows: number, decodeUs: number, baseUs: number, usPerToken: number) {
  return Array.from({ length: steps }, () => {
    const tokens = pace.tokensBeside(rows);
    pace.decoded(rows, decodeUs);
    pace.computed(tokens, baseUs + tokens * usPerToken);
    return tokens;
  });
}

describe('ChunkPace', () => {
  it('given steps of any speed, when some were seen, then a step takes at most three times as long as its rows, and nearly that', () => {
    for (const [decodeUs, usPerToken] of [
      [29_000, 3_000],
      [25_000, 900],
      [2_000, 40],
    ] as const) {
      const pace = new ChunkPace(LIMITS);
      const baseUs = decodeUs / 4;
      const tokens = stepsOf(pace, 60, 8, decodeUs, baseUs, usPerToken).at(-1)!;
      const slowdown = (decodeUs + baseUs + tokens * usPerToken) / decodeUs;
      expect(slowdown).toBeLessThan(3);
      expect(slowdown).toBeGreaterThan(2.6);
    }
  });

  it('given chunks that become dearer along a prompt, when they do, then they become shorter', () => {
    const pace = new ChunkPace(LIMITS);
    const [before] = stepsOf(pace, 20, 8, 30_000, 5_000, 1_000).slice(-1);
    const [after] = stepsOf(pace, 20, 8, 30_000, 5_000, 2_000).slice(-1);
    expect(after).toBeLessThan(before! * 0.6);
  });

  it('given other rows than before, when they were decoded once, then their time counts alone', () => {
    const pace = new ChunkPace(LIMITS);
    stepsOf(pace, 20, 8, 40_000, 0, 1_000);
    pace.decoded(16, 80_000);
    expect(pace.tokensBeside(16)).toBe(144);
  });

  it('given fewer rows than before, when nothing is known of them, then a chunk has their share of the time at most', () => {
    const pace = new ChunkPace(LIMITS);
    stepsOf(pace, 20, 32, 60_000, 0, 500);
    expect([pace.tokensBeside(32), pace.tokensBeside(16), pace.tokensBeside(1)]).toEqual([216, 108, 12]);
  });

  it('given the end of a prompt, when a token or two are left of it, then chunks of the next one are as long as before', () => {
    const pace = new ChunkPace(LIMITS);
    const [before] = stepsOf(pace, 20, 8, 30_000, 5_000, 1_000).slice(-1);
    pace.decoded(8, 30_000);
    pace.computed(2, 5_000);
    expect(pace.tokensBeside(8)).toBe(before);
  });

  it('given times that a clock does not tell apart, when asked, then there is a number of tokens', () => {
    const pace = new ChunkPace(LIMITS);
    pace.decoded(8, 0);
    pace.computed(20, 0);
    expect(pace.tokensBeside(8)).toBe(12);
  });

  it('given chunks that would be too short to be worth it, when computed, then they have the least tokens', () => {
    const pace = new ChunkPace(LIMITS);
    expect(stepsOf(pace, 20, 1, 9_000, 9_000, 3_000).at(-1)).toBe(12);
  });

  it('given no rows, or none seen, or no bound, when asked, then the limits decide', () => {
    const pace = new ChunkPace(LIMITS);
    expect([pace.tokensBeside(0), pace.tokensBeside(1), pace.tokensBeside(8)]).toEqual([256, 12, 20]);
    const timeless = new ChunkPace({ chunkTokens: 64, chunkBesideDecode: { leastTokens: 10, tokensPerRow: 4 } });
    expect(stepsOf(timeless, 10, 8, 1_000, 0, 1_000)).toEqual(new Array(10).fill(32));
    expect(new ChunkPace({ chunkTokens: 64 }).tokensBeside(8)).toBe(64);
  });
});
