import { expect, it } from 'vitest';
import { totalOf, usageAddress } from './usage-query.js';

const NOON = Date.UTC(2026, 10, 28, 12);

it('given a range of days, then it ends today and has the first day in it', () => {
  expect(usageAddress('', 'model', 1, NOON)).toBe('/v1/usage?from=2026-11-28&by=model&limit=1000');
  expect(usageAddress('a&b', 'day-model', 30, NOON)).toBe(
    '/v1/usage?from=2026-10-30&by=day%2Cmodel&limit=1000&tenant=a%26b',
  );
});

it('given rows, then their total adds up', () => {
  const row = { requests: 1, prompt_tokens: 2, cached_tokens: 3, completion_tokens: 4, cost_micros: 5 };
  const doubled = { requests: 2, prompt_tokens: 4, cached_tokens: 6, completion_tokens: 8, cost_micros: 10 };
  expect(totalOf([{ ...row, model: 'a' }, row])).toEqual(doubled);
  expect(totalOf([]).requests).toBe(0);
});
