import { describe, expect, it } from 'vitest';
import { marksOf } from './prefix-marks.js';

describe('the marks of a chain of blocks', () => {
  it('are all of a short one', () => {
    expect(marksOf(0)).toEqual([]);
    expect(marksOf(1)).toEqual([0]);
    expect(marksOf(33)).toEqual(Array.from({ length: 33 }, (_, position) => position));
  });

  it('are 16 in each doubling of the depth, and the last block', () => {
    const marks = marksOf(1_000);
    expect(marks).toHaveLength(113);
    expect(marks.filter((mark) => mark >= 256 && mark < 512)).toEqual(
      Array.from({ length: 16 }, (_, index) => 256 + 16 * index),
    );
    expect(marks.at(-1)).toBe(999);
  });

  it.each([1, 2, 5, 40])('step by a sixteenth of their depth up to the last %i blocks, whatever the length', (tail) => {
    for (const length of [...Array(700).keys(), 65_535, 65_536, 65_537, 1_048_577]) {
      const expected: number[] = [];
      const tailStart = Math.max(0, length - tail);
      for (let mark = 0; mark < tailStart; mark += stepAt(mark)) expected.push(mark);
      for (let mark = tailStart; mark < length; mark++) expected.push(mark);
      expect(marksOf(length, tail)).toEqual(expected);
    }
  });
});

/** A sixteenth of the largest power of two up to the mark, at least 1. */
const stepAt = (mark: number) => Math.max(1, 2 ** Math.floor(Math.log2(Math.max(1, mark))) / 16);
