import { expect, it } from 'vitest';
import { percentiles } from './percentiles.js';

it('given 1 to 100 in any order, when ranked, then p50 is 50, p99 is 99', () => {
  const values = Array.from({ length: 100 }, (_, i) => ((i * 37) % 100) + 1);
  expect(percentiles(values)).toEqual({ p50: 50, p90: 90, p99: 99, max: 100 });
  expect(percentiles([]).p50).toBe(0);
  expect(percentiles([7]).p99).toBe(7);
});
