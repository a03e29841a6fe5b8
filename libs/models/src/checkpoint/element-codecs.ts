import type { TensorDtype } from './checkpoint.js';

/** Elements of one Q block, along the last axis. */
export const BLOCK_ELEMENTS = 32;

/** Bytes of one row of `columns` elements. */
export function rowBytes(dtype: TensorDtype, columns: number): number {
  switch (dtype) {
    case 'F32':
      return columns * 4;
    case 'F16':
    case 'BF16':
      return columns * 2;
    case 'Q8_0':
      return (columns / BLOCK_ELEMENTS) * 34; // scale f16, 32 × int8
    case 'Q4_0':
      return (columns / BLOCK_ELEMENTS) * 18; // scale f16, 16 bytes of nibbles
    case 'Q4_1':
      return (columns / BLOCK_ELEMENTS) * 20; // scale f16, minimum f16, 16 bytes of nibbles
    default:
      return dtype satisfies never;
  }
}

/** Elements as float32, whatever they are stored as. @param elements  number of elements in `bytes` */
export function toFloats(dtype: TensorDtype, bytes: Uint8Array, elements: number): Float32Array {
  switch (dtype) {
    case 'F32':
      return new Float32Array(bytes.slice().buffer, 0, elements);
    case 'F16':
      return fromFloat16(bytes, elements);
    case 'BF16':
      return fromBfloat16(bytes, elements);
    case 'Q8_0':
    case 'Q4_0':
    case 'Q4_1':
      return fromBlocks(toBlocks(dtype, bytes));
    default:
      return dtype satisfies never;
  }
}

/** Blocks with element = scale × code + minimum; exactly what the file says. */
export interface QuantizedBlocks {
  /** One per block. */
  readonly scales: Float32Array;
  /** One per block; scale × zero point for the symmetric forms, negative. */
  readonly minimums: Float32Array;
  /** One per element; 0 to 15 for the Q4 forms, 0 to 255 (value + 128) for Q8_0. */
  readonly codes: Uint8Array;
}

/** Takes Q blocks apart without loss. */
export function toBlocks(dtype: 'Q8_0' | 'Q4_0' | 'Q4_1', bytes: Uint8Array): QuantizedBlocks {
  const stride = rowBytes(dtype, BLOCK_ELEMENTS);
  const count = bytes.length / stride;
  const scales = new Float32Array(count);
  const minimums = new Float32Array(count);
  const codes = new Uint8Array(count * BLOCK_ELEMENTS);
  for (let block = 0; block < count; block++) {
    const at = block * stride;
    const scale = float16(bytes, at);
    scales[block] = scale;
    const first = block * BLOCK_ELEMENTS;
    if (dtype === 'Q8_0') {
      minimums[block] = -128 * scale;
      for (let i = 0; i < BLOCK_ELEMENTS; i++) codes[first + i] = (bytes[at + 2 + i] as number) ^ 0x80; // int8 + 128
      continue;
    }
    minimums[block] = dtype === 'Q4_0' ? -8 * scale : float16(bytes, at + 2);
    const nibbles = at + stride - BLOCK_ELEMENTS / 2;
    for (let i = 0; i < BLOCK_ELEMENTS / 2; i++) {
      const pair = bytes[nibbles + i] as number; // low nibbles are the first half of the block, high ones the second
      codes[first + i] = pair & 15;
      codes[first + BLOCK_ELEMENTS / 2 + i] = pair >> 4;
    }
  }
  return { scales, minimums, codes };
}

function fromBlocks({ scales, minimums, codes }: QuantizedBlocks): Float32Array {
  const values = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    const block = i >> 5;
    values[i] = (scales[block] as number) * (codes[i] as number) + (minimums[block] as number);
  }
  return values;
}

function fromBfloat16(bytes: Uint8Array, elements: number): Float32Array {
  const bits = new Uint32Array(elements);
  for (let i = 0; i < elements; i++) bits[i] = ((bytes[2 * i] as number) << 16) | ((bytes[2 * i + 1] as number) << 24);
  return new Float32Array(bits.buffer);
}

/** IEEE 754 half precision: exponent and fraction moved to their place in float32, then 2^112 to make up for its larger bias. */
function fromFloat16(bytes: Uint8Array, elements: number): Float32Array {
  const values = new Float32Array(elements);
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < elements; i++) {
    const half = (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8);
    const sign = (half & 0x8000) << 16;
    if ((half & 0x7c00) === 0x7c00) {
      bits[i] = sign | 0x7f800000 | ((half & 0x3ff) << 13); // infinite or not a number
      continue;
    }
    bits[i] = sign | ((half & 0x7fff) << 13);
    values[i] = (values[i] as number) * 2 ** 112;
  }
  return values;
}

/** IEEE 754 half precision, little endian. */
function float16(bytes: Uint8Array, at: number): number {
  const bits = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
