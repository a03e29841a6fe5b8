/** ggml's ways to store weights, as far as the bench needs them. @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */

export const F32 = 0;
export const Q4_1 = 3;
export const Q8_0 = 8;

const Q8_0_VALUES = 32;
const Q8_0_BYTES = 34;

/** Values per block, bytes per block, and how a block at `at` becomes floats from `to` on, by ggml type. */
const BLOCKS = new Map([
  [F32, { values: 1, bytes: 4, read: (data, at, out, to) => (out[to] = data.readFloatLE(at)) }],
  [1, { values: 1, bytes: 2, read: (data, at, out, to) => (out[to] = half(data, at)) }],
  [2, { values: 32, bytes: 18, read: readQ4_0 }],
  [Q4_1, { values: 32, bytes: 20, read: readQ4_1 }],
  [Q8_0, { values: Q8_0_VALUES, bytes: Q8_0_BYTES, read: readQ8_0 }],
]);

/** @returns {Float32Array} the tensor whose blocks begin at `start` */
export function dequantize(data, start, { name, shape, type }) {
  const block = BLOCKS.get(type);
  if (block === undefined) throw new Error(`${name} has ggml type ${type}, which this script does not read.`);
  const floats = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let to = 0, at = start; to < floats.length; to += block.values, at += block.bytes) {
    block.read(data, at, floats, to);
  }
  return floats;
}

/** Rounded to Q8_0: 32 values share a scale, the largest of them becomes ±127. @param {Float32Array} floats */
export function quantizeToQ8_0(floats) {
  const data = Buffer.alloc((floats.length / Q8_0_VALUES) * Q8_0_BYTES);
  for (let from = 0, at = 0; from < floats.length; from += Q8_0_VALUES, at += Q8_0_BYTES) {
    const values = floats.subarray(from, from + Q8_0_VALUES);
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    data.writeUInt16LE(halfBits(scale), at);
    for (const [i, value] of values.entries()) data.writeInt8(scale === 0 ? 0 : Math.round(value / scale), at + 2 + i);
  }
  return data;
}

const HALF = new Uint16Array(1);
const HALF_FLOAT = new Float16Array(HALF.buffer);

export function halfBits(value) {
  HALF_FLOAT[0] = value;
  return HALF[0];
}

function half(data, at) {
  HALF[0] = data.readUInt16LE(at);
  return HALF_FLOAT[0];
}

function readQ4_0(data, at, out, to) {
  const scale = half(data, at);
  for (let i = 0; i < 16; i++) {
    out[to + i] = scale * ((data[at + 2 + i] & 15) - 8);
    out[to + 16 + i] = scale * ((data[at + 2 + i] >> 4) - 8);
  }
}

function readQ4_1(data, at, out, to) {
  const scale = half(data, at);
  const minimum = half(data, at + 2);
  for (let i = 0; i < 16; i++) {
    out[to + i] = scale * (data[at + 4 + i] & 15) + minimum;
    out[to + 16 + i] = scale * (data[at + 4 + i] >> 4) + minimum;
  }
}

function readQ8_0(data, at, out, to) {
  const scale = half(data, at);
  for (let i = 0; i < 32; i++) out[to + i] = scale * data.readInt8(at + 2 + i);
}
