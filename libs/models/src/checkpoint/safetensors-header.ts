import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { CheckpointError, type TensorDtype } from './checkpoint.js';
import { readExactly } from './read-exactly.js';
import { checkStoredTensors, type StoredTensor } from './stored-tensor.js';

/** Largest header the format allows, in bytes. @see https://github.com/huggingface/safetensors#format */
const LARGEST_HEADER_BYTES = 100_000_000;
/** Bytes before the header: its length. */
const PREFIX_BYTES = 8;
const DTYPES = ['F32', 'F16', 'BF16'] as const satisfies TensorDtype[];

const count = z.number().int().nonnegative();
const entrySchema = z.object({ dtype: z.string(), shape: z.array(count), data_offsets: z.tuple([count, count]) });
const headerSchema = z.record(z.string(), z.unknown());

/** What a safetensors file says of its tensors. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Tensors of types that are not read, each with a sentence that says so. */
  readonly unreadable: ReadonlyMap<string, string>;
}

/** @throws CheckpointError when the file is damaged */
export async function readSafetensorsHeader(path: string, file: FileHandle): Promise<SafetensorsHeader> {
  const { size } = await file.stat();
  if (size < PREFIX_BYTES) throw new CheckpointError(`${path} is too short for a safetensors file.`);
  const prefix = await readExactly(file, 0, PREFIX_BYTES, path);
  const headerBytes = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  if (headerBytes > LARGEST_HEADER_BYTES || PREFIX_BYTES + headerBytes > size) {
    throw new CheckpointError(`${path} is no safetensors file, or is cut off inside its header.`);
  }
  const dataOffset = PREFIX_BYTES + headerBytes;
  const text = new TextDecoder().decode(await readExactly(file, PREFIX_BYTES, headerBytes, path));
  const tensors = new Map<string, StoredTensor>();
  const unreadable = new Map<string, string>();
  for (const [name, value] of Object.entries(parseHeader(path, text))) {
    if (name === '__metadata__') continue;
    const entry = entrySchema.safeParse(value);
    if (!entry.success) throw new CheckpointError(`${path}: its header does not describe the tensor ${name}.`);
    const { shape, data_offsets: offsets } = entry.data;
    const dtype = DTYPES.find((known) => known === entry.data.dtype);
    if (dtype === undefined) {
      const type = entry.data.dtype;
      const sentence = `${path}: the tensor ${name} is of type ${type}, which is not read; ${DTYPES.join(', ')} are.`;
      unreadable.set(name, sentence);
      continue;
    }
    tensors.set(name, { dtype, shape, byteLength: offsets[1] - offsets[0], offset: dataOffset + offsets[0] });
  }
  checkStoredTensors(path, tensors, size);
  return { tensors, unreadable };
}

function parseHeader(path: string, text: string): Record<string, unknown> {
  try {
    return headerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CheckpointError(`${path}: its header is not a JSON object.`, { cause });
  }
}
