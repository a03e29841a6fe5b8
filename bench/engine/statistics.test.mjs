import { expect, it } from 'vitest';
import { median, pairedRatio, quantile, spread } from './statistics.mjs';

it('the median is the middle value, or the mean of the two in the middle, whatever the order', () => {
  expect(median([30, 2, 10])).toBe(10);
  expect(median([40, 10, 20, 30])).toBe(25);
});

it('a quantile is a value that was measured: the nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(quantile(hundred, 0.5)).toBe(50);
  expect(quantile(hundred, 0.99)).toBe(99);
  expect(quantile(hundred, 1)).toBe(100);
  expect(quantile([7], 0)).toBe(7);
});

it('a spread is the median with the least and the most', () => {
  expect(spread([3, 9, 4])).toEqual({ median: 4, min: 3, max: 9 });
});

it('ratios are paired round by round: the median of ratios, not the ratio of medians', () => {
  expect(pairedRatio([10, 100, 60], [10, 50, 20])).toBe(2);
  expect(median([10, 100, 60]) / median([10, 50, 20])).toBe(3);
});

it('nothing has no median, and figures of different rounds make no pairs', () => {
  expect(() => median([])).toThrow(RangeError);
  expect(() => quantile([], 0.5)).toThrow(RangeError);
  expect(() => pairedRatio([1, 2], [1])).toThrow('2 figures cannot be paired with 1.');
});
