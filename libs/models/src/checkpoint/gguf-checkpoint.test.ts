import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GGMLQuantizationType as Type } from '@huggingface/gguf';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CheckpointError } from './checkpoint.js';
import { toFloats } from './element-codecs.js';
import { GgufCheckpoint } from './gguf-checkpoint.js';

interface GivenTensor {
  /** Fastest dimension first, as GGUF has it. */
  readonly shape: readonly number[];
  readonly type: Type;
  readonly bytes: Uint8Array;
  /** Where it says it is; default: after the one before. */
  readonly offset?: number;
}

const ALIGNMENT = 32;
const uint32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const uint64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string) => Buffer.concat([uint64(value.length), Buffer.from(value)]);
const padded = (bytes: Uint8Array) =>
  Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);

/** A GGUF file, version 3, of the llama family with 4 heads and 2 for keys and values. */
function gguf(tensors: Readonly<Record<string, GivenTensor>>, heads = 4): Buffer {
  const metadata = [
    [text('general.architecture'), uint32(8), text('llama')],
    [text('llama.attention.head_count'), uint32(4), uint32(heads)],
    [text('llama.attention.head_count_kv'), uint32(4), uint32(heads / 2)],
  ];
  const entries = Object.entries(tensors);
  const head = [Buffer.from('GGUF'), uint32(3), uint64(entries.length), uint64(metadata.length), ...metadata.flat()];
  const data: Buffer[] = [];
  let end = 0;
  for (const [name, { shape, type, bytes, offset }] of entries) {
    head.push(text(name), uint32(shape.length), ...shape.map(uint64), uint32(type), uint64(offset ?? end));
    data.push(padded(bytes));
    end += padded(bytes).length;
  }
  return Buffer.concat([padded(Buffer.concat(head)), ...data]);
}

/** @param more  writes further parts of the file */
async function opened(
  start: Uint8Array,
  more: (file: FileHandle) => Promise<void> = async () => {},
): Promise<GgufCheckpoint> {
  const folder = await mkdtemp(join(tmpdir(), 'hydra-gguf-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'model.gguf');
  await writeFile(path, start);
  const file = await open(path, 'r+');
  await more(file).finally(() => file.close());
  const checkpoint = await GgufCheckpoint.open(path);
  onTestFinished(() => checkpoint.close());
  return checkpoint;
}

const floats = (values: Iterable<number>) => new Uint8Array(Float32Array.from(values).buffer);
const countTo = (count: number) => Array.from({ length: count }, (_, i) => i);

/** The conversion to GGUF: row j and row half + j of each head become neighbours. */
function interleave<T>(rows: readonly T[], heads: number): T[] {
  const size = rows.length / heads;
  return countTo(heads).flatMap((head) =>
    countTo(size / 2).flatMap((j) => [rows[head * size + j]!, rows[head * size + size / 2 + j]!]),
  );
}

describe('GgufCheckpoint', () => {
  it.each([2, 4])(
    'given a tensor beyond %i GiB of the file, when rows are read, then they are those',
    async (gibibytes) => {
      const beforeBytes = gibibytes * 2 ** 30;
      const before = { shape: [1024, beforeBytes / 4096], type: Type.F32, bytes: new Uint8Array() };
      const after = { shape: [2, 2], type: Type.F32, bytes: new Uint8Array(), offset: beforeBytes };
      const start = gguf({ 'token_embd.weight': before, 'output.weight': after });
      const checkpoint = await opened(start, async (file) => {
        await file.write(floats([-1]), 0, 4, start.length + beforeBytes - 4); // what is not written is a hole
        await file.write(floats([1, 2, 3, 4]), 0, 16, start.length + beforeBytes);
      });
      expect(await checkpoint.readRows('lm_head.weight', 1, 1)).toEqual(floats([3, 4]));
      const last = await checkpoint.readRows('model.embed_tokens.weight', beforeBytes / 4096 - 1, 1);
      expect(last.subarray(-4)).toEqual(floats([-1]));
    },
  );

  it("given names of GGUF, when opened, then tensors have the hub's names and outermost dimension first", async () => {
    const checkpoint = await opened(
      gguf({
        'token_embd.weight': { shape: [2, 3], type: Type.F32, bytes: floats(countTo(6)) },
        'blk.1.ffn_down.weight': { shape: [2, 1], type: Type.F32, bytes: floats([7, 8]) },
        'output_norm.weight': { shape: [2], type: Type.F32, bytes: floats([9, 10]) },
        'rope_freqs.weight': { shape: [2], type: Type.F32, bytes: floats([1, 1]) },
      }),
    );
    expect([...checkpoint.tensors].map(([name, { shape }]) => [name, ...shape])).toEqual([
      ['model.embed_tokens.weight', 3, 2],
      ['model.layers.1.mlp.down_proj.weight', 1, 2],
      ['model.norm.weight', 2],
      ['rope_freqs.weight', 2],
    ]);
    expect(await checkpoint.readRows('model.embed_tokens.weight', 1, 2)).toEqual(floats([2, 3, 4, 5]));
  });

  it('given query and key rows, when any range of them is read, then they have the order of the hub', async () => {
    const size = { attn_q: 32, attn_k: 16 };
    const heads = { attn_q: 4, attn_k: 2 };
    const stored = (part: 'attn_q' | 'attn_k') => ({
      shape: [1, size[part]],
      type: Type.F32,
      bytes: floats(interleave(countTo(size[part]), heads[part])),
    });
    const bias = { shape: [32], type: Type.F32, bytes: floats(interleave(countTo(32), 4)) };
    const checkpoint = await opened(
      gguf({
        'blk.0.attn_q.weight': stored('attn_q'),
        'blk.0.attn_k.weight': stored('attn_k'),
        'blk.0.attn_q.bias': bias,
      }),
    );
    expect(await checkpoint.readRows('model.layers.0.self_attn.q_proj.bias', 0, 1)).toEqual(floats(countTo(32)));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('q', 'k'), fc.nat(31), fc.nat(31), async (part, a, b) => {
        const rows = part === 'q' ? 32 : 16;
        const [first, last] = [Math.min(a % rows, b % rows), Math.max(a % rows, b % rows)];
        const read = await checkpoint.readRows(`model.layers.0.self_attn.${part}_proj.weight`, first, last - first + 1);
        expect(read).toEqual(floats(countTo(rows).slice(first, last + 1)));
      }),
    );
  });

  it('given quantized rows, when read, then their blocks come as stored', async () => {
    const bytes = Uint8Array.from({ length: 2 * 34 }, (_, i) => i);
    const checkpoint = await opened(gguf({ 'output.weight': { shape: [32, 2], type: Type.Q8_0, bytes } }));
    expect(checkpoint.tensors.get('lm_head.weight')).toMatchObject({ dtype: 'Q8_0', shape: [2, 32], byteLength: 68 });
    const row = await checkpoint.readRows('lm_head.weight', 1, 1);
    expect(row).toEqual(bytes.slice(34));
    expect(toFloats('Q8_0', row, 32)).toHaveLength(32);
  });

  it('given a type that is not read, when the tensor is asked for, then the error names tensor and type', async () => {
    const checkpoint = await opened(
      gguf({
        'blk.0.ffn_up.weight': { shape: [256, 1], type: Type.Q6_K, bytes: new Uint8Array(210) },
        'output_norm.weight': { shape: [2], type: Type.F32, bytes: floats([9, 10]) },
      }),
    );
    expect(await checkpoint.readRows('model.norm.weight', 0, 1)).toEqual(floats([9, 10]));
    const reading = checkpoint.readRows('model.layers.0.mlp.up_proj.weight', 0, 1);
    await expect(reading).rejects.toThrow(
      /: the tensor blk\.0\.ffn_up\.weight is of type Q6_K, which is not read; F32, F16, Q4_0, Q4_1, Q8_0, BF16 are\.$/,
    );
  });

  it.each<[string, Buffer, RegExp]>([
    [
      'cut off in its data',
      gguf({ 'output_norm.weight': { shape: [64], type: Type.F32, bytes: floats(countTo(64)) } }).subarray(0, -20),
      /is cut off: it ends at byte \d+, the tensor output_norm\.weight at \d+\.$/,
    ],
    [
      'with overlapping tensors',
      gguf({
        'output_norm.weight': { shape: [64], type: Type.F32, bytes: floats(countTo(64)) },
        'blk.0.attn_norm.weight': { shape: [64], type: Type.F32, bytes: floats(countTo(64)), offset: 32 },
      }),
      /: the tensor blk\.0\.attn_norm\.weight overlaps output_norm\.weight\.$/,
    ],
    [
      'with rows that are no whole blocks',
      gguf({ 'output.weight': { shape: [40, 2], type: Type.Q8_0, bytes: new Uint8Array(85) } }),
      /: the rows of output\.weight, 40 elements, are no whole Q8_0 blocks\.$/,
    ],
    [
      'with rows that are no whole heads',
      gguf({ 'blk.0.attn_q.weight': { shape: [1, 12], type: Type.F32, bytes: floats(countTo(12)) } }),
      /: the 12 rows of blk\.0\.attn_q\.weight are not 4 heads of even size\.$/,
    ],
  ])('given a file %s, when opened, then the error says so', async (_, file, message) => {
    const opening = opened(file);
    await expect(opening).rejects.toThrow(CheckpointError);
    await expect(opening).rejects.toThrow(message);
  });

  it('given a file of another kind, when opened, then the error says so', async () => {
    await expect(opened(Buffer.from('<!doctype html><html><body>Not found'))).rejects.toThrow(
      /is not a readable GGUF file/,
    );
  });
});
