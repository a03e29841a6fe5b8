import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK_ELEMENTS, toFloats } from '#lib/models';
import { arbitraryBlocks } from '../testing/arbitrary-blocks.js';
import { fitFourBit } from './fit-four-bit.js';
import { type EightBitBlocks, packNibbles, toEightBit, toFourBit, toSymmetricEightBit } from './quantize.js';

const blockOf = (i: number) => Math.floor(i / BLOCK_ELEMENTS);

function fromEightBit({ codes, scales, zeroPoints }: EightBitBlocks): number[] {
  return Array.from(codes, (code, i) => (code - zeroPoints[blockOf(i)]!) * scales[blockOf(i)]!);
}

/** What MatMulNBits with zero point 8 and the product of block sums make of it together. */
function fromFourBit({ codes, scales, minimums }: ReturnType<typeof toFourBit>): number[] {
  return Array.from(codes, (code, i) => {
    const offset = Math.fround(minimums[blockOf(i)]! + 8 * scales[blockOf(i)]!);
    return (code - 8) * scales[blockOf(i)]! + offset;
  });
}

/** Equal but for the rounding of single precision, relative to the largest number that took part. */
function expectEqualRounded(found: readonly number[], wanted: Float32Array, largest: (block: number) => number): void {
  found.forEach((value, i) => {
    expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(2 ** -22 * largest(blockOf(i)));
  });
}

const floats = fc
  .array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: BLOCK_ELEMENTS, maxLength: BLOCK_ELEMENTS })
  .map((values) => Float32Array.from(values));
const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer);

describe('8-bit weights', () => {
  it.each(['Q8_0', 'Q4_0'] as const)('given any %s blocks, when converted, then no value changes', (dtype) => {
    fc.assert(
      fc.property(arbitraryBlocks(dtype, { min: 1, max: 4 }), (bytes) => {
        const elements = (bytes.length / (dtype === 'Q8_0' ? 34 : 18)) * BLOCK_ELEMENTS;
        const wanted = toFloats(dtype, bytes, elements);
        const symmetric = toSymmetricEightBit(dtype, bytes, elements);
        const zeroPoints = new Uint8Array(symmetric.scales.length).fill(128);
        for (const blocks of [toEightBit(dtype, bytes, elements), { ...symmetric, zeroPoints }]) {
          expect(fromEightBit(blocks).map((value) => value + 0)).toEqual(Array.from(wanted, (value) => value + 0));
        }
      }),
    );
  });

  it('given any Q4_1 blocks, when converted, then values move by at most half a step of 1/255 of their range with 0', () => {
    fc.assert(
      fc.property(arbitraryBlocks('Q4_1', { min: 1, max: 4 }), (bytes) => {
        const elements = (bytes.length / 20) * BLOCK_ELEMENTS;
        const wanted = toFloats('Q4_1', bytes, elements);
        fromEightBit(toEightBit('Q4_1', bytes, elements)).forEach((value, i) => {
          const first = blockOf(i) * BLOCK_ELEMENTS;
          const block = wanted.subarray(first, first + BLOCK_ELEMENTS);
          // The file's whole range, whether its codes reach the ends or not: the conversion keeps its grid.
          const view = new DataView(bytes.buffer, blockOf(i) * 20);
          const range = 15 * Math.abs(view.getFloat16(0, true));
          const step = Math.max(range, Math.max(0, ...block) - Math.min(0, ...block)) / 255;
          expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(step * 1.001);
        });
      }),
    );
  });

  it('given any floats, when rounded, then values move by at most one step', () => {
    fc.assert(
      fc.property(floats, (values) => {
        const blocks = toEightBit('F32', bytesOf(values), values.length);
        fromEightBit(blocks).forEach((value, i) => {
          expect(Math.abs(value - values[i]!)).toBeLessThanOrEqual(blocks.scales[0]! * 1.001);
        });
      }),
    );
  });

  it('given zeros, when rounded, then they stay zeros', () => {
    expect(fromEightBit(toEightBit('F32', new Uint8Array(128), 32)).every((value) => value === 0)).toBe(true);
    expect(fromFourBit(toFourBit('F32', new Uint8Array(128), 32)).every((value) => value === 0)).toBe(true);
  });
});

describe('4-bit weights', () => {
  it.each(['Q4_0', 'Q4_1'] as const)(
    'given any %s blocks, when taken apart for the two products, then their sum is the value',
    (dtype) => {
      fc.assert(
        fc.property(arbitraryBlocks(dtype, { min: 1, max: 4 }), (bytes) => {
          const blocks = toFourBit(dtype, bytes, (bytes.length / (dtype === 'Q4_0' ? 18 : 20)) * BLOCK_ELEMENTS);
          const wanted = toFloats(dtype, bytes, blocks.codes.length);
          expectEqualRounded(
            fromFourBit(blocks),
            wanted,
            (block) => Math.abs(blocks.minimums[block]!) + 16 * Math.abs(blocks.scales[block]!),
          );
        }),
      );
    },
  );

  it('given Q4_0, when taken apart, then the second product is nothing', () => {
    fc.assert(
      fc.property(arbitraryBlocks('Q4_0', { min: 1, max: 4 }), (bytes) => {
        const { minimums, scales } = toFourBit('Q4_0', bytes, (bytes.length / 18) * BLOCK_ELEMENTS);
        expect(minimums.every((minimum, block) => minimum + 8 * scales[block]! === 0)).toBe(true);
      }),
    );
  });

  it('given any floats, when fitted, then the error is no larger than between the extremes', () => {
    fc.assert(
      fc.property(floats, (values) => {
        const fitted = fromFourBit(fitFourBit(values));
        const low = Math.min(...values);
        const step = Math.fround((Math.max(...values) - low) / 15);
        const between = Array.from(values, (value) =>
          step === 0 ? low : low + step * Math.round((value - low) / step),
        );
        const error = (found: readonly number[]) => found.reduce((sum, value, i) => sum + (value - values[i]!) ** 2, 0);
        expect(error(fitted)).toBeLessThanOrEqual(error(between) * (1 + 1e-4) + 1e-9);
      }),
    );
  });

  it('given codes, when packed, then the first of two is in the low half', () => {
    expect(packNibbles(Uint8Array.of(1, 2, 15, 0))).toEqual(Uint8Array.of(0x21, 0x0f));
  });
});
