import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CheckpointError, MissingTensorError } from './checkpoint.js';
import { SafetensorsCheckpoint } from './safetensors-checkpoint.js';

type Header = Record<string, unknown>;

/** Header and data as a safetensors file. */
function safetensors(header: Header | string, data: Uint8Array): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([prefix, text, data]);
}

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const matrix = { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] };
const vector = { dtype: 'F32', shape: [2], data_offsets: [16, 24] };
const data = floats(1, 2, 3, 4, 5, 6);

async function folderOf(files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hydra-safetensors-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

async function opened(files: Readonly<Record<string, Uint8Array | string>>): Promise<SafetensorsCheckpoint> {
  const checkpoint = await SafetensorsCheckpoint.open(await folderOf(files));
  onTestFinished(() => checkpoint.close());
  return checkpoint;
}

const single = (header: Header | string, bytes: Uint8Array = data) =>
  opened({ 'model.safetensors': safetensors(header, bytes) });

describe('SafetensorsCheckpoint', () => {
  it('given one file, when rows are read, then they are as stored and others are not touched', async () => {
    const checkpoint = await single({ __metadata__: { format: 'pt' }, matrix, vector });
    expect(checkpoint.tensors.get('matrix')).toMatchObject({ dtype: 'F32', shape: [2, 2], byteLength: 16 });
    expect(await checkpoint.readRows('matrix', 1, 1)).toEqual(floats(3, 4));
    expect(await checkpoint.readRows('vector', 0, 1)).toEqual(floats(5, 6));
  });

  it('given shards, when opened, then each tensor is read from the file that the index names', async () => {
    const checkpoint = await opened({
      'model.safetensors.index.json': JSON.stringify({ weight_map: { a: 'one.safetensors', b: 'two.safetensors' } }),
      'one.safetensors': safetensors({ a: matrix, b: vector }, data),
      'two.safetensors': safetensors({ b: matrix }, floats(7, 8, 9, 10)),
    });
    expect(await checkpoint.readRows('a', 0, 2)).toEqual(floats(1, 2, 3, 4));
    expect(await checkpoint.readRows('b', 0, 1)).toEqual(floats(7, 8));
  });

  it.each([2, 4])(
    'given a tensor beyond %i GiB of a file, when rows are read, then they are those',
    async (gibibytes) => {
      const beforeBytes = gibibytes * 2 ** 30;
      const header = {
        before: { dtype: 'F32', shape: [beforeBytes / 4096, 1024], data_offsets: [0, beforeBytes] },
        matrix: { dtype: 'F32', shape: [2, 2], data_offsets: [beforeBytes, beforeBytes + 16] },
      };
      const start = safetensors(header, new Uint8Array());
      const folder = await folderOf({ 'model.safetensors': start });
      const file = await open(join(folder, 'model.safetensors'), 'r+'); // what is not written is a hole
      await file.write(floats(-1), 0, 4, start.length + beforeBytes - 4);
      await file.write(floats(1, 2, 3, 4), 0, 16, start.length + beforeBytes);
      await file.close();
      const checkpoint = await SafetensorsCheckpoint.open(folder);
      onTestFinished(() => checkpoint.close());
      expect(await checkpoint.readRows('matrix', 1, 1)).toEqual(floats(3, 4));
      expect((await checkpoint.readRows('before', beforeBytes / 4096 - 1, 1)).subarray(-4)).toEqual(floats(-1));
    },
  );

  it('given a tensor that nobody has, when read, then the error names it', async () => {
    const checkpoint = await single({ matrix });
    await expect(checkpoint.readRows('vector', 0, 1)).rejects.toThrow(new MissingTensorError('vector'));
  });

  it('given a type that is not read, when the tensor is not asked for, then the others are read; when it is, the error names it', async () => {
    const checkpoint = await single({ matrix, mask: { dtype: 'I64', shape: [1], data_offsets: [16, 24] } });
    expect(await checkpoint.readRows('matrix', 0, 1)).toEqual(floats(1, 2));
    await expect(checkpoint.readRows('mask', 0, 1)).rejects.toThrow(
      /: the tensor mask is of type I64, which is not read; F32, F16, BF16 are\.$/,
    );
  });

  it.each<[string, Header | string, Uint8Array, RegExp]>([
    [
      'cut off in its data',
      { matrix, vector },
      data.subarray(0, 20),
      /is cut off: it ends at byte \d+, the tensor vector at \d+\.$/,
    ],
    [
      'with overlapping tensors',
      { matrix, vector: { ...vector, data_offsets: [12, 20] } },
      data,
      /: the tensor vector overlaps matrix\.$/,
    ],
    [
      'with a shape that contradicts its size',
      { matrix: { ...matrix, shape: [2, 3] } },
      data,
      /the tensor matrix has 16 bytes, which is not what F32 \[2, 3\] takes\.$/,
    ],
    [
      'with an end before its begin',
      { matrix: { ...matrix, data_offsets: [16, 0] } },
      data,
      /the tensor matrix has -16 bytes/,
    ],
    [
      'with offsets that are no numbers',
      { matrix: { ...matrix, data_offsets: 'all' } },
      data,
      /its header does not describe the tensor matrix\.$/,
    ],
    [
      'with a negative dimension',
      { matrix: { ...matrix, shape: [-2, -2] } },
      data,
      /its header does not describe the tensor matrix\.$/,
    ],
    ['with a header that is not JSON', '{"matrix": ', data, /its header is not a JSON object\.$/],
    ['with a header that is a list', '[1, 2]', data, /its header is not a JSON object\.$/],
  ])('given a file %s, when opened, then the error says so', async (_, header, bytes, message) => {
    const opening = single(header, bytes);
    await expect(opening).rejects.toThrow(CheckpointError);
    await expect(opening).rejects.toThrow(message);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['of five bytes', new Uint8Array(5), /is too short for a safetensors file\.$/],
    ['cut off in its header', safetensors({ matrix }, data).subarray(0, 30), /is cut off inside its header\.$/],
    ['of another kind', Buffer.from('<!doctype html><html><body>Not found'), /is no safetensors file/],
  ])('given a file %s, when opened, then the error says so', async (_, content, message) => {
    await expect(opened({ 'model.safetensors': content })).rejects.toThrow(message);
  });

  it('given no file, when opened, then the error names it', async () => {
    await expect(opened({})).rejects.toThrow(/model\.safetensors cannot be opened \(ENOENT\)\.$/);
  });

  it.each<[string, string, RegExp]>([
    [
      'names a file outside',
      JSON.stringify({ weight_map: { a: '../one.safetensors' } }),
      /names a file outside of it: \.\.\/one\.safetensors\.$/,
    ],
    [
      'names a shard that is missing',
      JSON.stringify({ weight_map: { a: 'three.safetensors' } }),
      /three\.safetensors cannot be opened \(ENOENT\)\.$/,
    ],
    [
      'names a tensor that its shard lacks',
      JSON.stringify({ weight_map: { c: 'one.safetensors' } }),
      /one\.safetensors has no tensor c, though model\.safetensors\.index\.json says so\.$/,
    ],
    ['is not JSON', '{', /has no weight_map of tensors to files\.$/],
    ['has no weight_map', '{"metadata": {}}', /has no weight_map of tensors to files\.$/],
  ])('given an index that %s, when opened, then the error says so', async (_, index, message) => {
    const files = { 'model.safetensors.index.json': index, 'one.safetensors': safetensors({ matrix }, data) };
    await expect(opened(files)).rejects.toThrow(message);
  });
});
