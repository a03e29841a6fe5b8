import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inverseFrequencies, ropeTables } from './rope-tables.js';

const HEAD_DIM = 64;
const theta = 10_000;
const plain = inverseFrequencies({ theta }, HEAD_DIM);

/** Equal but for the rounding of single precision. */
function expectClose(found: readonly number[], wanted: readonly number[]): void {
  expect(found).toHaveLength(wanted.length);
  found.forEach((value, i) => {
    expect(Math.abs(value / wanted[i]! - 1)).toBeLessThan(2 ** -22);
  });
}

describe('inverseFrequencies', () => {
  it('given no scaling, when computed, then pair i turns by theta^(-2i / headDim) per position', () => {
    expectClose(
      plain,
      Array.from({ length: HEAD_DIM / 2 }, (_, i) => theta ** (-(2 * i) / HEAD_DIM)),
    );
  });

  it('given linear scaling, when computed, then all turn slower by the factor', () => {
    const scaled = inverseFrequencies({ theta, scaling: { type: 'linear', factor: 4 } }, HEAD_DIM);
    expectClose(
      scaled,
      plain.map((frequency) => frequency / 4),
    );
  });

  it('given factors of a GGUF file, when computed, then each pair has its own', () => {
    const factors = plain.map((_, i) => 1 + i);
    const scaled = inverseFrequencies({ theta, scaling: { type: 'frequency-factors', factors } }, HEAD_DIM);
    expectClose(
      scaled,
      plain.map((frequency, i) => frequency / (1 + i)),
    );
  });

  it('given scaling as of Llama 3, when computed, then short waves stay, long ones stretch, and between it goes over steadily', () => {
    const scaling = {
      type: 'llama3',
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalContextTokens: 1024,
    } as const;
    const scaled = inverseFrequencies({ theta, scaling }, HEAD_DIM);
    scaled.forEach((frequency, i) => {
      const waveLength = (2 * Math.PI) / plain[i]!;
      if (waveLength < 1024 / 4) expect(frequency).toBe(plain[i]);
      else if (waveLength > 1024) expect(frequency).toBeCloseTo(plain[i]! / 8, 7);
      else expect(frequency).toSatisfy((value: number) => value >= plain[i]! / 8 && value <= plain[i]!);
      if (i > 0) expect(frequency).toBeLessThan(scaled[i - 1]!);
    });
  });
});

describe('ropeTables', () => {
  it('given any position and pair, when looked up, then they are the cosine and sine of position × frequency', () => {
    const { cos, sin } = ropeTables({ rope: { theta }, headDim: HEAD_DIM }, 512);
    fc.assert(
      fc.property(fc.nat(511), fc.nat(HEAD_DIM / 2 - 1), (position, pair) => {
        const at = position * (HEAD_DIM / 2) + pair;
        expect(cos[at]).toBe(Math.fround(Math.cos(position * plain[pair]!)));
        expect(sin[at]).toBe(Math.fround(Math.sin(position * plain[pair]!)));
      }),
    );
  });

  it('given a factor, when looked up, then they are multiplied with it and rounded once', () => {
    const { cos, sin } = ropeTables({ rope: { theta }, headDim: HEAD_DIM }, 64, 1 / 3);
    for (const at of [0, 31, 40, 63 * 32 + 5]) {
      const angle = Math.floor(at / 32) * plain[at % 32]!;
      expect(cos[at]).toBe(Math.fround(Math.cos(angle) / 3));
      expect(sin[at]).toBeCloseTo(Math.sin(angle) / 3, 7);
    }
  });
});
