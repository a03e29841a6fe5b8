import { describe, expect, it } from 'vitest';
import { ReuseRate } from './reuse-rate.js';

describe('how likely a block is found again', () => {
  it('given a prompt that is computed once and found often, then nearly each use is followed by another, and never more than each', () => {
    const reuse = new ReuseRate();
    expect(reuse.perUse).toBe(0);
    reuse.note(0, 10);
    for (let each = 0; each < 500; each++) reuse.note(10, 10);
    expect(reuse.perUse).toBeGreaterThan(0.98);
    expect(reuse.perUse).toBeLessThan(1);
  });

  it('given prompts that come twice, then every other use is followed by one', () => {
    const reuse = new ReuseRate();
    for (let each = 0; each < 5_000; each++) reuse.note(each % 2 === 0 ? 0 : 8, 8);
    expect(reuse.perUse).toBeCloseTo(0.5, 2);
  });
});
