import fc from 'fast-check';
import { BLOCK_ELEMENTS, rowBytes } from '#lib/models';

type BlockDtype = 'Q8_0' | 'Q4_0' | 'Q4_1';

/** Bits of a finite half-precision number, subnormals and both signs included. */
const halfBits = fc.integer({ min: 0, max: 0xffff }).filter((bits) => (bits & 0x7c00) !== 0x7c00);

/** Bytes of GGUF blocks: any codes, any finite scales and minimums. */
export function arbitraryBlocks(dtype: BlockDtype, count: { min: number; max: number }): fc.Arbitrary<Uint8Array> {
  const stride = rowBytes(dtype, BLOCK_ELEMENTS);
  const halves = dtype === 'Q4_1' ? 2 : 1;
  const codeBytes = stride - 2 * halves;
  const block = fc.tuple(
    fc.array(halfBits, { minLength: halves, maxLength: halves }),
    fc.uint8Array({ minLength: codeBytes, maxLength: codeBytes }),
  );
  return fc.array(block, { minLength: count.min, maxLength: count.max }).map((blocks) => {
    const bytes = new Uint8Array(blocks.length * stride);
    blocks.forEach(([bits, codes], index) => {
      const view = new DataView(bytes.buffer, index * stride);
      for (const [at, half] of bits.entries()) view.setUint16(2 * at, half, true);
      bytes.set(codes, index * stride + 2 * halves);
    });
    return bytes;
  });
}
