/**
 * Writes a GGUF file's weights as float32, metadata unchanged: the same model without rounding of activations, because
 * llama.cpp rounds them to 8 bits only beside quantized weights.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const SCALAR_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8];
const STRING = 8;
const ARRAY = 9;
const F32 = 0;

/** Values per block, bytes per block, and how a block at `at` becomes `length` floats, by ggml type. */
const BLOCKS = new Map([
  [0, { values: 1, bytes: 4, read: (data, at, out, to) => (out[to] = data.readFloatLE(at)) }],
  [1, { values: 1, bytes: 2, read: (data, at, out, to) => (out[to] = half(data, at)) }],
  [2, { values: 32, bytes: 18, read: readQ4_0 }],
  [3, { values: 32, bytes: 20, read: readQ4_1 }],
  [8, { values: 32, bytes: 34, read: readQ8_0 }],
]);

function half(data, at) {
  const bits = data.readUInt16LE(at);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
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

/** Reads along a GGUF header. */
class Cursor {
  constructor(data) {
    this.data = data;
    this.at = 0;
  }
  u32() {
    this.at += 4;
    return this.data.readUInt32LE(this.at - 4);
  }
  u64() {
    this.at += 8;
    return Number(this.data.readBigUInt64LE(this.at - 8));
  }
  text() {
    const length = this.u64();
    this.at += length;
    return this.data.toString('utf8', this.at - length, this.at);
  }
  skipValue(type) {
    if (type === STRING) {
      this.text();
      return;
    }
    if (type !== ARRAY) {
      this.at += SCALAR_BYTES[type];
      return;
    }
    const itemType = this.u32();
    const length = this.u64();
    for (let item = 0; item < length; item++) this.skipValue(itemType);
  }
}

export function dequantizeGguf(inputPath, outputPath) {
  const data = readFileSync(inputPath);
  const cursor = new Cursor(data);
  cursor.at = 8;
  const tensorCount = cursor.u64();
  const valueCount = cursor.u64();
  let alignment = 32;
  for (let value = 0; value < valueCount; value++) {
    const key = cursor.text();
    const type = cursor.u32();
    if (key === 'general.alignment') alignment = data.readUInt32LE(cursor.at);
    cursor.skipValue(type);
  }
  const header = data.subarray(0, cursor.at);
  const tensors = Array.from({ length: tensorCount }, () => {
    const name = cursor.text();
    const shape = Array.from({ length: cursor.u32() }, () => cursor.u64());
    return { name, shape, type: cursor.u32(), offset: cursor.u64() };
  });
  const aligned = (at) => Math.ceil(at / alignment) * alignment;
  const dataStart = aligned(cursor.at);

  const infos = [];
  const contents = [];
  let offset = 0;
  for (const tensor of tensors) {
    const floats = dequantize(data, dataStart + tensor.offset, tensor);
    infos.push(tensorInfo(tensor, offset));
    contents.push(Buffer.from(floats.buffer), Buffer.alloc(aligned(floats.byteLength) - floats.byteLength));
    offset += aligned(floats.byteLength);
  }
  const head = Buffer.concat([header, ...infos]);
  writeFileSync(outputPath, Buffer.concat([head, Buffer.alloc(aligned(head.length) - head.length), ...contents]));
}

function dequantize(data, start, { name, shape, type }) {
  const block = BLOCKS.get(type);
  if (block === undefined) throw new Error(`${name} has ggml type ${type}, which this script does not read.`);
  const floats = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let to = 0, at = start; to < floats.length; to += block.values, at += block.bytes) {
    block.read(data, at, floats, to);
  }
  return floats;
}

function tensorInfo({ name, shape }, offset) {
  const text = Buffer.from(name);
  const info = Buffer.alloc(8 + text.length + 4 + 8 * shape.length + 4 + 8);
  let at = info.writeBigUInt64LE(BigInt(text.length));
  at += text.copy(info, at);
  at = info.writeUInt32LE(shape.length, at);
  for (const size of shape) at = info.writeBigUInt64LE(BigInt(size), at);
  at = info.writeUInt32LE(F32, at);
  info.writeBigUInt64LE(BigInt(offset), at);
  return info;
}
