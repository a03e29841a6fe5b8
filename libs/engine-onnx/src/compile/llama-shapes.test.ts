import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ResolvedModel } from '#lib/models';
import { hasByteProducts } from '../byte-products.js';
import type { WeightsForm } from '../compiled-model.js';
import { OnnxModelRunner } from '../onnx-model-runner.js';
import { writeRandomLlama } from '../testing/random-llama.js';
import { compileModel } from './compile-model.js';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-shapes-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function compiledOf(change: Readonly<Record<string, unknown>>, weights: WeightsForm) {
  const folder = newFolder();
  writeRandomLlama(folder, change);
  const source: ResolvedModel = { kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: 'c' };
  return compileModel({ source, weights, storeFolder: newFolder() });
}

/** Logits of the last token, its prompt computed in one piece or in two. */
async function logitsOf(change: Readonly<Record<string, unknown>>, weights: WeightsForm, pieces: number[][]) {
  const { graphPath: path, manifest } = await compiledOf(change, weights);
  const runner = await OnnxModelRunner.load({ path, ...manifest }, { threads: 1, kvBytes: 16 << 20 });
  let position = 0;
  let last = new Float32Array();
  for (const tokenIds of pieces) {
    const logits = await runner.prefill({ slot: 0, position, tokenIds, logitsFor: 'last' });
    last = Float32Array.from(logits?.data ?? []);
    position += tokenIds.length;
  }
  await runner.close();
  return last;
}

const ROUNDED: readonly WeightsForm[] = (await hasByteProducts()) ? ['int8', 'w8a8'] : ['int8'];

const llama3Scaling = {
  rope_type: 'llama3',
  factor: 32,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 32,
};

describe('shapes of llama', () => {
  describe.each<[string, Readonly<Record<string, unknown>>]>([
    ['a head of keys and values for each head', { num_key_value_heads: 4 }],
    ['one head of keys and values for all', { num_key_value_heads: 1 }],
    ['heads that are not as wide as hidden size and number say', { head_dim: 32 }],
    ['an output layer that is the embedding', { tie_word_embeddings: true }],
    ['a vocabulary of 128k', { vocab_size: 128_256, hidden_size: 32, head_dim: 16, tie_word_embeddings: true }],
    ['rotary embedding stretched as Llama 3.1 does', { rope_theta: 500_000, rope_scaling: llama3Scaling }],
  ])('with %s', (_, change) => {
    it('given fp32, when a prompt is computed in two pieces, then the logits are those of one piece; and int8 and w8a8 are near', async () => {
      const prompt = Array.from({ length: 24 }, (_unused, i) => (i * 37) % 80);
      const whole = await logitsOf(change, 'fp32', [prompt]);
      const inPieces = await logitsOf(change, 'fp32', [prompt.slice(0, 9), prompt.slice(9)]);
      expect(whole).toHaveLength((change['vocab_size'] as number | undefined) ?? 80);
      expect(distance(whole, inPieces)).toBeLessThan(1e-4);
      for (const weights of ROUNDED) {
        expect(distance(whole, await logitsOf(change, weights, [prompt])), weights).toBeLessThan(0.1);
      }
      expect(distance(whole, new Float32Array(whole.length))).toBeGreaterThan(0.9);
    });
  });

  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    [
      'heads that cannot share those of keys and values evenly',
      { num_attention_heads: 4, num_key_value_heads: 3 },
      'This llama model cannot be compiled: its 4 attention heads do not divide into 3 heads of keys and values.',
    ],
    [
      'a hidden size that is not a multiple of its heads',
      { num_attention_heads: 3, num_key_value_heads: 1 },
      'This llama model cannot be compiled: its heads have 21.333333333333332 elements; attention needs a multiple of 16.',
    ],
    [
      'heads whose width the attention does not take',
      { head_dim: 20 },
      'This llama model cannot be compiled: its heads have 20 elements; attention needs a multiple of 16.',
    ],
    [
      'no output layer, though it is not the embedding',
      { tie_word_embeddings: 'yes' },
      'The checkpoint has no tensor lm_head.weight.',
    ],
    [
      'rows that do not divide into blocks',
      { intermediate_size: 100 },
      'The tensor model.layers.0.mlp.down_proj.weight has rows of 100 elements; int8, int4 and w8a8 weights need a multiple of 32: use fp32.',
    ],
    [
      'a stretched rotary embedding without its factor',
      { rope_scaling: { ...llama3Scaling, factor: undefined } },
      'its rope scaling has no factor',
    ],
  ])('given %s, when compiled, then it is refused with a sentence', async (_, change, message) => {
    await expect(compiledOf(change, 'int8')).rejects.toThrow(message);
  });
});

/** Root of the mean squared difference, over that of the first. */
function distance(wanted: Float32Array, found: Float32Array): number {
  let [squares, misses] = [0, 0];
  wanted.forEach((value, i) => {
    squares += value ** 2;
    misses += (value - (found[i] as number)) ** 2;
  });
  return Math.sqrt(misses / squares);
}
