import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tensorsOf } from './shapes.mjs';

const TINY_MODEL = fileURLToPath(new URL('../../test/data/models/llama', import.meta.url));
const TEXT_FILES = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'];
/** As the hub's checkpoints of this size are cut, in bytes. */
const SHARD_BYTES = 2_000_000_000;
const BF16_BYTES = 2;
/** Standard deviation that Llama models start their training with. */
const DEVIATION = 0.02;
/** Distinct weights; a tensor is put together of runs of them. Odd, so that runs do not fall on the same columns again. */
const POOL_ELEMENTS = (1 << 21) - 1;
const RUN_ELEMENTS = 1 << 16;
/** Runs that are written at once: 8 MiB. */
const RUNS_PER_WRITE = 64;

/**
 * Writes a folder as the hub's: bf16 shards with an index, and the tokenizer of the tiny test model. The weights are normally
 * distributed and the same for the same shape; norms are 1. Memory is bounded whatever the shape. A whole folder is left as it is.
 */
export async function writeRandomCheckpoint(folder, config, onProgress = () => {}) {
  const indexPath = join(folder, 'model.safetensors.index.json');
  if (existsSync(indexPath)) return;
  mkdirSync(folder, { recursive: true });
  const shards = shardsOf(config);
  const totalBytes = shards.flat().reduce((sum, { byteLength }) => sum + byteLength, 0);
  const weightMap = {};
  const pool = normalPool();
  let doneBytes = 0;
  for (const [i, tensors] of shards.entries()) {
    const name = `model-${numbered(i + 1)}-of-${numbered(shards.length)}.safetensors`;
    for (const tensor of tensors) weightMap[tensor.name] = name;
    await writeShard(join(folder, name), tensors, pool);
    doneBytes += tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
    onProgress(doneBytes, totalBytes);
  }
  for (const file of TEXT_FILES) copyFileSync(join(TINY_MODEL, file), join(folder, file));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2));
  writeFileSync(indexPath, JSON.stringify({ metadata: { total_size: totalBytes }, weight_map: weightMap }));
}

const numbered = (number) => String(number).padStart(5, '0');

function shardsOf(config) {
  const shards = [[]];
  let bytes = 0;
  for (const [name, shape] of tensorsOf(config)) {
    const byteLength = shape.reduce((product, size) => product * size, BF16_BYTES);
    if (bytes + byteLength > SHARD_BYTES && bytes > 0) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1).push({ name, shape, byteLength });
    bytes += byteLength;
  }
  return shards;
}

async function writeShard(path, tensors, pool) {
  const header = {};
  let offset = 0;
  for (const { name, shape, byteLength } of tensors) {
    header[name] = { dtype: 'BF16', shape, data_offsets: [offset, offset + byteLength] };
    offset += byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  const file = await open(path, 'w');
  try {
    await file.writeFile(Buffer.concat([prefix, text]));
    for (const { name, shape } of tensors) {
      const elements = shape.reduce((product, size) => product * size, 1);
      if (shape.length === 1)
        await file.writeFile(new Uint8Array(new Uint16Array(elements).fill(toBfloat16(1)).buffer));
      else await writeMatrix(file, name, elements, pool);
    }
  } finally {
    await file.close();
  }
}

async function writeMatrix(file, name, elements, pool) {
  const random = randomNumbers(createHash('sha256').update(name).digest().readUInt32LE());
  const buffer = new Uint16Array(RUN_ELEMENTS * RUNS_PER_WRITE);
  for (let written = 0; written < elements; ) {
    const count = Math.min(buffer.length, elements - written);
    for (let at = 0; at < count; at += RUN_ELEMENTS) {
      const first = Math.floor(random() * (POOL_ELEMENTS - RUN_ELEMENTS));
      buffer.set(pool.subarray(first, first + Math.min(RUN_ELEMENTS, count - at)), at);
    }
    await file.writeFile(new Uint8Array(buffer.buffer, 0, count * BF16_BYTES));
    written += count;
  }
}

function normalPool() {
  const random = randomNumbers(20261128);
  return Uint16Array.from({ length: POOL_ELEMENTS }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return toBfloat16(DEVIATION * radius * Math.cos(2 * Math.PI * random()));
  });
}

function toBfloat16(value) {
  const [bits] = new Uint32Array(Float32Array.of(value).buffer);
  return (bits + 0x8000) >>> 16;
}

/** Numbers in [0, 1), always the same for a seed. @see Steele et al. 2014, Fast splittable pseudorandom number generators: its 32-bit mix */
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
