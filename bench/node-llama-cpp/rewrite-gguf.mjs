/** Writes a GGUF file's weights in another form, metadata unchanged. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dequantize, F32, Q8_0, quantizeToQ8_0 } from './gguf-blocks.mjs';

const SCALAR_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8];
const STRING = 8;
const ARRAY = 9;

/**
 * All weights as float32: the same model without rounding of activations, because llama.cpp rounds them to 8 bits only
 * beside quantized weights.
 */
export function dequantizeGguf(inputPath, outputPath) {
  rewriteGguf(inputPath, outputPath, (_, floats) => ({ type: F32, data: Buffer.from(floats.buffer) }));
}

/** Matrices as Q8_0, vectors as float32. */
export function quantizeGgufToQ8_0(inputPath, outputPath) {
  rewriteGguf(inputPath, outputPath, ({ shape }, floats) =>
    shape.length > 1 ? { type: Q8_0, data: quantizeToQ8_0(floats) } : { type: F32, data: Buffer.from(floats.buffer) },
  );
}

/** @param {(tensor: {name: string, shape: number[]}, floats: Float32Array) => {type: number, data: Buffer}} convert */
function rewriteGguf(inputPath, outputPath, convert) {
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
    const { type, data: content } = convert(tensor, dequantize(data, dataStart + tensor.offset, tensor));
    infos.push(tensorInfo(tensor, type, offset));
    contents.push(content, Buffer.alloc(aligned(content.length) - content.length));
    offset += aligned(content.length);
  }
  const head = Buffer.concat([header, ...infos]);
  writeFileSync(outputPath, Buffer.concat([head, Buffer.alloc(aligned(head.length) - head.length), ...contents]));
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

export function tensorInfo({ name, shape }, type, offset) {
  const text = Buffer.from(name);
  const info = Buffer.alloc(8 + text.length + 4 + 8 * shape.length + 4 + 8);
  let at = info.writeBigUInt64LE(BigInt(text.length));
  at += text.copy(info, at);
  at = info.writeUInt32LE(shape.length, at);
  for (const size of shape) at = info.writeBigUInt64LE(BigInt(size), at);
  at = info.writeUInt32LE(type, at);
  info.writeBigUInt64LE(BigInt(offset), at);
  return info;
}
