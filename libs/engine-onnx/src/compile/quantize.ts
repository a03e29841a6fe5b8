import { BLOCK_ELEMENTS, type QuantizedBlocks, type TensorDtype, toBlocks, toFloats } from '#lib/models';
import { fitFourBit } from './fit-four-bit.js';

/** Codes of 8 bits with a zero point per block: element = (code - zeroPoint) × scale. */
export interface EightBitBlocks {
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  readonly zeroPoints: Uint8Array;
}

/**
 * Rows as 8-bit blocks. Q8_0 and Q4_0 keep their exact values; Q4_1 keeps its codes, spread by 17 (255 / 15), and moves its
 * minimum by at most half a step; floats are rounded to the nearest of 256 steps between their block's extremes and 0.
 * @param elements  number of elements in `bytes`, a multiple of 32
 */
export function toEightBit(dtype: TensorDtype, bytes: Uint8Array, elements: number): EightBitBlocks {
  switch (dtype) {
    case 'Q8_0':
    case 'Q4_0': {
      const { codes, scales } = toBlocks(dtype, bytes);
      const zero = dtype === 'Q8_0' ? 128 : 8;
      return { codes, scales, zeroPoints: new Uint8Array(scales.length).fill(zero) };
    }
    case 'Q4_1':
      return spread(toBlocks(dtype, bytes));
    default:
      return roundToEightBit(toFloats(dtype, bytes, elements));
  }
}

/** Codes of 4 bits: element = scale × code + minimum. Q4_1 and Q4_0 keep their exact values, floats are fitted. */
export function toFourBit(dtype: TensorDtype, bytes: Uint8Array, elements: number): QuantizedBlocks {
  return dtype === 'Q4_1' || dtype === 'Q4_0' ? toBlocks(dtype, bytes) : fitFourBit(toFloats(dtype, bytes, elements));
}

/** Two codes to a byte, the first in the low half: the order of MatMulNBits. */
export function packNibbles(codes: Uint8Array): Uint8Array {
  const packed = new Uint8Array(codes.length / 2);
  for (let i = 0; i < packed.length; i++) packed[i] = (codes[2 * i] as number) | ((codes[2 * i + 1] as number) << 4);
  return packed;
}

/** Symmetric 8 bit, zero point 128: what an embedding lookup takes. Exact for Q8_0 and Q4_0. */
export function toSymmetricEightBit(
  dtype: TensorDtype,
  bytes: Uint8Array,
  elements: number,
): { codes: Uint8Array; scales: Float32Array } {
  if (dtype === 'Q8_0') return toBlocks(dtype, bytes);
  if (dtype === 'Q4_0') {
    const { codes, scales } = toBlocks(dtype, bytes);
    return { codes: codes.map((code) => code + 128 - 8), scales };
  }
  const values = toFloats(dtype, bytes, elements);
  const codes = new Uint8Array(elements);
  const scales = new Float32Array(elements / BLOCK_ELEMENTS);
  for (let block = 0; block < scales.length; block++) {
    const first = block * BLOCK_ELEMENTS;
    const { low, high } = extremesWithZero(values, first);
    const scale = Math.max(-low, high) / 127;
    scales[block] = scale;
    for (let i = first; i < first + BLOCK_ELEMENTS; i++)
      codes[i] = scale === 0 ? 128 : Math.floor((values[i] as number) / scale + 0.5) + 128;
  }
  return { codes, scales };
}

/** Symmetric 8 bit, -127 to 127, one scale for each row of `columns` elements. */
export function roundRows(values: Float32Array, columns: number): { codes: Int8Array; scales: Float32Array } {
  const codes = new Int8Array(values.length);
  const scales = new Float32Array(values.length / columns);
  for (let row = 0; row < scales.length; row++) {
    const first = row * columns;
    let largest = 0;
    for (let i = first; i < first + columns; i++) largest = Math.max(largest, Math.abs(values[i] as number));
    const scale = Math.fround(largest / 127);
    scales[row] = scale;
    if (scale === 0) continue;
    for (let i = first; i < first + columns; i++) codes[i] = Math.floor((values[i] as number) / scale + 0.5);
  }
  return { codes, scales };
}

function spread({ codes, scales, minimums }: QuantizedBlocks): EightBitBlocks {
  const wide = new Uint8Array(codes.length);
  const narrowed = new Float32Array(scales.length);
  const zeroPoints = new Uint8Array(scales.length);
  for (let block = 0; block < scales.length; block++) {
    const first = block * BLOCK_ELEMENTS;
    const scale = (scales[block] as number) / 17;
    const minimum = minimums[block] as number;
    const zero = scale === 0 ? 0 : Math.round(-minimum / scale);
    if (scale === 0 || zero < 0 || zero > 255) {
      // A block that is constant, or wholly on one side of 0: its extremes and 0 fit no codes of 17 steps.
      const values = new Float32Array(BLOCK_ELEMENTS);
      for (let i = 0; i < BLOCK_ELEMENTS; i++)
        values[i] = (scales[block] as number) * (codes[first + i] as number) + minimum;
      const rounded = roundToEightBit(values);
      wide.set(rounded.codes, first);
      narrowed[block] = rounded.scales[0] as number;
      zeroPoints[block] = rounded.zeroPoints[0] as number;
      continue;
    }
    narrowed[block] = scale;
    zeroPoints[block] = zero;
    for (let i = first; i < first + BLOCK_ELEMENTS; i++) wide[i] = (codes[i] as number) * 17;
  }
  return { codes: wide, scales: narrowed, zeroPoints };
}

function roundToEightBit(values: Float32Array): EightBitBlocks {
  const scales = new Float32Array(values.length / BLOCK_ELEMENTS);
  const zeroPoints = new Uint8Array(scales.length);
  const codes = new Uint8Array(values.length);
  for (let block = 0; block < scales.length; block++) {
    const first = block * BLOCK_ELEMENTS;
    const { low, high } = extremesWithZero(values, first);
    const scale = (high - low) / 255;
    if (scale === 0) continue; // a block of zeros
    const zero = Math.round(-low / scale);
    scales[block] = scale;
    zeroPoints[block] = zero;
    for (let i = first; i < first + BLOCK_ELEMENTS; i++) {
      const code = Math.floor((values[i] as number) / scale + 0.5) + zero;
      codes[i] = Math.max(0, Math.min(255, code));
    }
  }
  return { codes, scales, zeroPoints };
}

/** Smallest and largest element of a block, 0 included; not a number when one is not. Loops without calls: this runs for every weight. */
function extremesWithZero(values: Float32Array, first: number): { low: number; high: number } {
  let low = 0;
  let high = 0;
  let poison = 0;
  for (let i = first; i < first + BLOCK_ELEMENTS; i++) {
    const value = values[i] as number;
    if (value < low) low = value;
    if (value > high) high = value;
    poison += value * 0; // no comparison shows what is not a number
  }
  return { low: low + poison, high: high + poison };
}
