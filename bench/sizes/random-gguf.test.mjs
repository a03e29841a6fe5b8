import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dequantize, F32, Q4_1, Q8_0 } from '../node-llama-cpp/gguf-blocks.mjs';
import { writeRandomGguf } from './random-gguf.mjs';
import { SHAPES } from './shapes.mjs';

const SHAPE = { ...SHAPES.tiny, vocab_size: 50_000 };

const folder = mkdtempSync(join(tmpdir(), 'random-gguf-'));
const path = join(folder, 'random.gguf');
let file;
beforeAll(async () => {
  await writeRandomGguf(path, SHAPE);
  file = await gguf(path, { allowLocalFile: true });
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

it('given a shape, then its tensors are there under their names in GGUF, in whole blocks to the end of the file', () => {
  const { metadata, tensorInfos, tensorDataOffset } = file;
  expect(metadata['llama.block_count']).toBe(4);
  expect(metadata['tokenizer.ggml.tokens']).toHaveLength(50_000);
  const types = new Map(tensorInfos.map(({ name, shape, dtype }) => [name, [shape.map(Number), dtype]]));
  expect(types.size).toBe(1 + 4 * 9 + 2);
  expect(types.get('token_embd.weight')).toEqual([[128, 50_000], Q8_0]);
  expect(types.get('blk.3.attn_output.weight')).toEqual([[128, 128], Q4_1]);
  expect(types.get('blk.0.attn_k.weight')).toEqual([[128, 64], Q4_1]);
  expect(types.get('blk.0.ffn_norm.weight')).toEqual([[128], F32]);
  const last = tensorInfos.at(-1);
  expect(last.name).toBe('output.weight');
  const bytes = (50_000 * 128 * 34) / 32;
  expect(readFileSync(path).length).toBe(Number(tensorDataOffset + last.offset) + bytes);
});

it('given its matrices, then their values have the deviation that training begins with, around zero', () => {
  const { tensorInfos, tensorDataOffset } = file;
  const data = readFileSync(path);
  for (const name of ['token_embd.weight', 'blk.0.ffn_down.weight']) {
    const { shape, dtype, offset } = tensorInfos.find((tensor) => tensor.name === name);
    const values = dequantize(data, Number(tensorDataOffset + offset), { name, shape: shape.map(Number), type: dtype });
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    expect(Math.abs(mean)).toBeLessThan(0.001);
    expect(deviation).toBeGreaterThan(0.019);
    expect(deviation).toBeLessThan(0.021);
  }
});

it('given fewer tokens than the tokenizer has, then it says how many that has', async () => {
  await expect(writeRandomGguf(join(folder, 'small.gguf'), SHAPES.tiny)).rejects.toThrow('49152 tokens');
});
