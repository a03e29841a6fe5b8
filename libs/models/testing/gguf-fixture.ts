import { writeFile } from 'node:fs/promises';

export interface FixtureTensor {
  readonly name: string;
  /** Fastest dimension first, as GGUF has it. */
  readonly shape: readonly number[];
  /** float32. */
  readonly values: readonly number[];
}

type FixtureValue = string | number | boolean | readonly string[] | readonly number[];

const ALIGNMENT = 32;
const TYPE = { uint32: 4, float32: 6, bool: 7, string: 8, array: 9 };

/** Writes a small GGUF file, version 3. Whole numbers become uint32, others (and all in a list with one) float32. */
export async function writeGguf(
  path: string,
  metadata: Readonly<Record<string, FixtureValue>>,
  tensors: readonly FixtureTensor[] = [],
): Promise<void> {
  const head: Buffer[] = [Buffer.from('GGUF'), uint32(3), uint64(tensors.length), uint64(Object.keys(metadata).length)];
  for (const [key, value] of Object.entries(metadata)) head.push(string(key), ...typed(value));
  const data: Buffer[] = [];
  let offset = 0;
  for (const { name, shape, values } of tensors) {
    head.push(string(name), uint32(shape.length), ...shape.map(uint64), uint32(0), uint64(offset));
    const bytes = pad(Buffer.from(new Float32Array(values).buffer));
    data.push(bytes);
    offset += bytes.length;
  }
  await writeFile(path, Buffer.concat([pad(Buffer.concat(head)), ...data]));
}

function typed(value: FixtureValue): Buffer[] {
  if (typeof value === 'string') return [uint32(TYPE.string), string(value)];
  if (typeof value === 'boolean') return [uint32(TYPE.bool), Buffer.from([value ? 1 : 0])];
  if (typeof value === 'number') {
    return Number.isInteger(value) ? [uint32(TYPE.uint32), uint32(value)] : [uint32(TYPE.float32), float32(value)];
  }
  const strings = value.filter((item) => typeof item === 'string');
  const numbers = value.filter((item) => typeof item === 'number');
  if (strings.length > 0)
    return [uint32(TYPE.array), uint32(TYPE.string), uint64(strings.length), ...strings.map(string)];
  const isWhole = numbers.every((item) => Number.isInteger(item) && item >= 0);
  const type = isWhole ? TYPE.uint32 : TYPE.float32;
  return [uint32(TYPE.array), uint32(type), uint64(numbers.length), ...numbers.map(isWhole ? uint32 : float32)];
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function pad(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & (ALIGNMENT - 1))]);
}
