import { expect, it } from 'vitest';
import { age, bytes, count, duration, percent, rate } from './quantities.js';

it('shows numbers with as many digits as help', () => {
  expect([duration(3.12), duration(38.4), duration(1_440)]).toEqual(['3.1 ms', '38 ms', '1.4 s']);
  expect([rate(41.23), rate(1_234.5), count(12_345)]).toEqual(['41.2', '1,235', '12,345']);
});

it('shows sizes, shares and ages', () => {
  expect([bytes(0), bytes(999), bytes(1_500), bytes(268_435_456)]).toEqual(['0 B', '999 B', '1.5 kB', '268 MB']);
  expect([percent(0), percent(0.0042), percent(0.345), percent(1)]).toEqual(['0 %', '0.4 %', '35 %', '100 %']);
  expect([age(5), age(125), age(3_700), age(90_000)]).toEqual(['5 s', '2 min', '1 h 1 min', '1 d 1 h']);
});
