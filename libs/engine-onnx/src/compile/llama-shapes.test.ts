import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

type Change = Readonly<Record<string, unknown>>;
type Further = Readonly<Record<string, number[]>>;

function compiledOf(change: Change, weights: WeightsForm, further: Further = {}) {
  const folder = newFolder();
  writeRandomLlama(folder, change, further);
  const source: ResolvedModel = { kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: 'c' };
  return compileModel({ source, weights, storeFolder: newFolder() });
}

/** Logits of the last token, its prompt computed in one piece or in two. */
async function logitsOf(change: Change, weights: WeightsForm, pieces: number[][], further: Further = {}) {
  const { graphPath: path, manifest } = await compiledOf(change, weights, further);
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
      { tie_word_embeddings: null },
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
      'rope_scaling of its config.json has no factor',
    ],
  ])('given %s, when compiled, then it is refused with a sentence', async (_, change, message) => {
    await expect(compiledOf(change, 'int8')).rejects.toThrow(message);
  });

  it('given a tensor that is not as the configuration says, when compiled, then the message names the folder', async () => {
    const compiling = compiledOf({ tie_word_embeddings: null }, 'fp32');
    await expect(compiling).rejects.toThrow(/^\/.*hydra-shapes-\w+: The checkpoint has no tensor lm_head\.weight\.$/);
  });

  it('given heads whose tables of rotations no memory holds, when compiled, then the shapes are compared first', async () => {
    const folder = newFolder();
    writeRandomLlama(folder, {});
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as object;
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, head_dim: 1e9 }));
    const source = { kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: 'c' } as const;
    await expect(compileModel({ source, weights: 'fp32', storeFolder: newFolder() })).rejects.toThrow(
      "q_proj.weight is [64, 64], where the model's configuration asks for [4000000000, 64]",
    );
  });

  it('given another architecture, when compiled, then that is said, not which field of llama it lacks', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'gpt2', n_embd: 64 }));
    const source = { kind: 'hf-folder', folder, id: 'org/gpt2', origin: 'folder', bytes: 0, contentKey: 'c' } as const;
    await expect(compileModel({ source, weights: 'fp32', storeFolder: newFolder() })).rejects.toThrow(
      'org/gpt2: The architecture "gpt2" is not known; known are llama,',
    );
  });
});

const PROMPT = [3, 14, 15, 9, 26, 5];
const AT = 'model.layers.1';
const ATTENTION_BIASES = {
  [`${AT}.self_attn.q_proj.bias`]: [64],
  [`${AT}.self_attn.k_proj.bias`]: [32],
  [`${AT}.self_attn.v_proj.bias`]: [32],
};
const OUT_BIAS = { [`${AT}.self_attn.o_proj.bias`]: [64] };
const MLP_BIASES = {
  [`${AT}.mlp.gate_proj.bias`]: [96],
  [`${AT}.mlp.up_proj.bias`]: [96],
  [`${AT}.mlp.down_proj.bias`]: [64],
};

describe('biases of llama', () => {
  const all = { ...ATTENTION_BIASES, ...OUT_BIAS, ...MLP_BIASES };

  it.each<WeightsForm>(['fp32', ...ROUNDED])(
    'given biases that the configuration has not, when computed in %s, then they are not added; those that it has are',
    async (form) => {
      const plain = await logitsOf({}, form, [PROMPT]);
      const off = { attention_bias: false, mlp_bias: false };
      expect(await logitsOf(off, form, [PROMPT], all)).toEqual(plain);
      expect(await logitsOf({}, form, [PROMPT], all)).toEqual(plain);
      expect(await logitsOf({ attention_bias: true, mlp_bias: true }, form, [PROMPT])).toEqual(plain); // zeros, as in transformers
      const attention = await logitsOf({ attention_bias: true }, form, [PROMPT], all);
      const mlp = await logitsOf({ mlp_bias: true }, form, [PROMPT], all);
      for (const biased of [attention, mlp]) expect(distance(plain, biased)).toBeGreaterThan(0.05);
      expect(attention).not.toEqual(mlp);
    },
  );

  it.each([
    [`${AT}.self_attn.o_proj.bias`, [1], '[1]', '[64]'],
    [`${AT}.self_attn.q_proj.bias`, [63], '[63]', '[64]'],
    [`${AT}.self_attn.k_proj.bias`, [64], '[64]', '[32]'],
    [`${AT}.mlp.down_proj.bias`, [1, 64], '[1, 64]', '[64]'],
  ])('given %s of the shape %j, when compiled, then it is refused', async (name, shape, found, wanted) => {
    const change = { attention_bias: true, mlp_bias: true };
    await expect(compiledOf(change, 'fp32', { ...all, [name]: shape })).rejects.toThrow(
      `The tensor ${name} is ${found}, where the model's configuration asks for ${wanted}.`,
    );
  });
});

describe('an output layer beside a configuration that ties it to the embedding', () => {
  it.each(['fp32', 'int8'] as const)(
    'given another one in the file, when computed in %s, then it is the one that counts',
    async (form) => {
      const own = await logitsOf({ tie_word_embeddings: false }, form, [PROMPT]);
      const found = await logitsOf({ tie_word_embeddings: true }, form, [PROMPT], { 'lm_head.weight': [80, 64] });
      expect(found).toEqual(own);
      expect(await logitsOf({ tie_word_embeddings: true }, form, [PROMPT])).not.toEqual(own);
    },
  );
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
