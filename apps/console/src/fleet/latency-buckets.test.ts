import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countsBetween, countsTogether, quantile } from './latency-buckets.js';

const BOUNDS = [0.01, 0.1, 1];

describe('quantile', () => {
  it('given one bucket, then it lies as far into it as the share says', () => {
    expect(quantile(0.5, [0, 10, 0, 0], BOUNDS)).toBeCloseTo(0.055);
    expect(quantile(1, [0, 10, 0, 0], BOUNDS)).toBeCloseTo(0.1);
  });

  it('given observations beyond all bounds, then it is the last bound', () => {
    expect(quantile(0.9, [1, 0, 0, 9], BOUNDS)).toBe(1);
  });

  it('given nothing, then there is none', () => {
    expect(quantile(0.5, [0, 0, 0, 0], BOUNDS)).toBeUndefined();
    expect(quantile(0.5, [], BOUNDS)).toBeUndefined();
  });

  it('given any counts, then it rises with the share and stays within the bounds', () =>
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 4, maxLength: 4 }), (counts) => {
        fc.pre(counts.some((count) => count > 0));
        const values = [0, 0.25, 0.5, 0.95, 1].map((share) => quantile(share, counts, BOUNDS) ?? Number.NaN);
        for (const [index, value] of values.entries()) {
          expect(value).toBeGreaterThanOrEqual(values[index - 1] ?? 0);
          expect(value).toBeLessThanOrEqual(1);
        }
      }),
    ));
});

it('given two looks, then what was counted between them is their difference, and nothing after a new beginning', () => {
  expect(countsBetween([1, 2, 0], [3, 2, 5])).toEqual([2, 0, 5]);
  expect(countsBetween([], [3, 2, 5])).toEqual([3, 2, 5]);
  expect(countsBetween([9, 0, 0], [1, 0, 0])).toBeUndefined();
});

it('given several histograms, then they add up', () => {
  expect(
    countsTogether([
      [1, 2],
      [3, 4],
    ]),
  ).toEqual([4, 6]);
  expect(countsTogether([])).toEqual([]);
});
