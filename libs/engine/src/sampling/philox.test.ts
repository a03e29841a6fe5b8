import { describe, expect, it } from 'vitest';
import { philox4x32, uniformAt } from './philox.js';

const hex = (words: readonly number[]) => words.map((word) => word.toString(16).padStart(8, '0')).join(' ');

describe('philox4x32', () => {
  // The known answers of "philox4x32 10" in Random123's kat_vectors.
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ] as const)('given counter %j and key %j, when computed, then the known answer comes', (counter, key, answer) => {
    expect(hex(philox4x32(counter, key))).toBe(answer);
  });
});

describe('uniformAt', () => {
  it('given neighbouring seeds, sequences and positions, when drawn, then all numbers differ and lie in [0, 1)', () => {
    const drawn = new Set<number>();
    for (const seed of [0, 1, 2 ** 32, 2 ** 53 - 1]) {
      for (const sequence of [0, 1]) {
        for (let position = 0; position < 100; position++) drawn.add(uniformAt(seed, sequence, position));
      }
    }
    expect(drawn.size).toBe(800);
    for (const u of drawn) expect(u >= 0 && u < 1).toBe(true);
  });
});
