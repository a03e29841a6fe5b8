import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowBytes, toBlocks, toFloats } from './element-codecs.js';

const halves = fc.uint16Array({ minLength: 1, maxLength: 64 });
const bytesOf = (numbers: ArrayBufferView) => new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);

function block(dtype: 'Q8_0' | 'Q4_0' | 'Q4_1', halfValues: readonly number[], codes: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(rowBytes(dtype, 32));
  const view = new DataView(bytes.buffer);
  for (const [index, value] of halfValues.entries()) view.setFloat16(2 * index, value, true);
  bytes.set(codes, 2 * halfValues.length);
  return bytes;
}

describe('toFloats', () => {
  it('given any half-precision bits, when converted, then they are what the platform reads', () => {
    fc.assert(
      fc.property(halves, (bits) => {
        const view = new DataView(bits.buffer, bits.byteOffset);
        const wanted = Array.from(bits, (_, i) => view.getFloat16(2 * i, true));
        expect([...toFloats('F16', bytesOf(bits), bits.length)]).toEqual(wanted);
      }),
    );
  });

  it('given any bfloat16 bits, when converted, then they are the upper half of a float32', () => {
    fc.assert(
      fc.property(halves, (bits) => {
        const wanted = new Float32Array(Uint32Array.from(bits, (upper) => upper * 2 ** 16).buffer);
        expect([...toFloats('BF16', bytesOf(bits), bits.length)]).toEqual([...wanted]);
      }),
    );
  });

  it('given float32 at an odd offset of a buffer, when converted, then they are unchanged', () => {
    const shifted = new Uint8Array(13);
    shifted.set(bytesOf(Float32Array.of(1.5, -2, 1e-40)), 1);
    expect([...toFloats('F32', shifted.subarray(1), 3)]).toEqual([...Float32Array.of(1.5, -2, 1e-40)]);
  });

  it('given a Q8_0 block, when converted, then each element is scale × signed byte', () => {
    const codes = Int8Array.from({ length: 32 }, (_, i) => i * 8 - 128);
    const found = toFloats('Q8_0', block('Q8_0', [0.25], bytesOf(codes)), 32);
    expect([...found]).toEqual(Array.from(codes, (code) => 0.25 * code));
  });

  it('given a Q4_0 block, when converted, then low nibbles are its first half and 8 is zero', () => {
    const found = toFloats(
      'Q4_0',
      block(
        'Q4_0',
        [0.5],
        Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4)),
      ),
      32,
    );
    const first = Array.from({ length: 16 }, (_, i) => 0.5 * (i - 8));
    expect([...found]).toEqual([...first, ...first.toReversed()]);
  });

  it('given a Q4_1 block, when converted, then each element is scale × code + minimum', () => {
    const found = toFloats('Q4_1', block('Q4_1', [0.5, -3], new Uint8Array(16).fill(0x72)), 32);
    expect([...found]).toEqual([...Array(16).fill(-2), ...Array(16).fill(0.5)]);
  });
});

describe('toBlocks', () => {
  it.each(['Q8_0', 'Q4_0', 'Q4_1'] as const)(
    'given any %s bytes, when taken apart, then scale × code + minimum is the element',
    (dtype) => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: rowBytes(dtype, 32), maxLength: rowBytes(dtype, 32) }), (bytes) => {
          const { scales, minimums, codes } = toBlocks(dtype, bytes);
          const wanted = Float32Array.from(codes, (code) => scales[0]! * code + minimums[0]!);
          expect([...toFloats(dtype, bytes, 32)]).toEqual([...wanted]);
        }),
      );
    },
  );
});
