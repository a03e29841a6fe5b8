import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bestOf, naiveLogprobs } from '../../testing/naive-logprobs.js';
import { InvalidLogitsError } from './largest-logit.js';
import { logSumExp, positionLogprobs } from './logprobs.js';

const noBytes = () => new Uint8Array();
const rows = () =>
  fc
    .array(
      fc.oneof(fc.double({ min: -80, max: 80, noNaN: true }), fc.integer({ min: -2, max: 2 }), fc.constant(-Infinity)),
      {
        minLength: 1,
        maxLength: 200,
      },
    )
    .filter((row) => row.some(Number.isFinite))
    .map((row) => Float32Array.from(row));

describe('log-probabilities', () => {
  it('given any logits, when told, then they are those of a naive log-softmax, and the best come in order', () => {
    fc.assert(
      fc.property(rows(), fc.nat(), fc.integer({ min: 0, max: 25 }), (row, which, count) => {
        const naive = naiveLogprobs(row);
        const chosenId = which % row.length;
        const { chosen, top } = positionLogprobs(row, chosenId, count, noBytes);
        expect(chosen?.tokenId).toBe(chosenId);
        expectClose(chosen!.logprob, naive[chosenId]!);
        expect(top.map(({ tokenId }) => tokenId)).toEqual(bestOf([...row], count));
        for (const { tokenId, logprob } of top) expectClose(logprob, naive[tokenId]!);
      }),
    );
  });

  it('given any logits, when all are told, then the probabilities sum to 1', () => {
    fc.assert(
      fc.property(rows(), (row) => {
        const { top } = positionLogprobs(row, 0, row.length, noBytes);
        expect(top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 8);
      }),
    );
  });

  it('given equal logits, when told, then the smaller id comes first', () => {
    const { top } = positionLogprobs(Float32Array.of(1, 3, 3, 2, 3), 0, 4, noBytes);
    expect(top.map(({ tokenId }) => tokenId)).toEqual([1, 2, 4, 3]);
  });

  it.each([[[Number.NaN, 1]], [[Infinity, 1]], [[-Infinity, -Infinity]]])(
    'given the logits %j, then they are refused',
    (row) => {
      expect(() => logSumExp(Float32Array.from(row))).toThrow(InvalidLogitsError);
    },
  );

  it('given a large vocabulary, when summed, then the result is that of double precision', () => {
    const row = Float32Array.from({ length: 49_152 }, (_, id) => Math.sin(id) * 12);
    expect(row[5]! - logSumExp(row)).toBeCloseTo(naiveOf(row, 5), 8);
  });
});

function naiveOf(row: Float32Array, id: number): number {
  return row[id]! - Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
}

function expectClose(value: number, expected: number): void {
  if (Number.isFinite(expected)) expect(Math.abs(value - expected)).toBeLessThan(1e-8);
  else expect(value).toBe(expected);
}
