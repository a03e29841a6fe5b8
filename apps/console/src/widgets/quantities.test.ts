import { expect, it } from 'vitest';
import { count, duration, rate } from './quantities.js';

it('shows numbers with as many digits as help', () => {
  expect([duration(3.12), duration(38.4), duration(1_440)]).toEqual(['3.1 ms', '38 ms', '1.4 s']);
  expect([rate(41.23), rate(1_234.5), count(12_345)]).toEqual(['41.2', '1,235', '12,345']);
});
