import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FixtureTensor, writeGguf } from '../testing/gguf-fixture.js';
import { tempFolder } from '../testing/temp-folder.js';
import { UnsupportedModelError } from './errors.js';
import { modelConfigOfGguf } from './gguf-model-config.js';
import type { ModelConfig } from './model-config.js';

const METADATA = {
  'general.architecture': 'llama',
  'llama.block_count': 3,
  'llama.context_length': 512,
  'llama.embedding_length': 64,
  'llama.feed_forward_length': 128,
  'llama.attention.head_count': 4,
  'llama.attention.head_count_kv': 2,
  'llama.rope.freq_base': 100_000.5,
  'llama.attention.layer_norm_rms_epsilon': 1e-5,
  'tokenizer.ggml.bos_token_id': 1,
  'tokenizer.ggml.eos_token_id': 9,
  'tokenizer.ggml.eot_token_id': 2,
};
const EMBEDDING: FixtureTensor = { name: 'token_embd.weight', shape: [64, 10], values: new Array(640).fill(0) };

async function read(
  metadata: Readonly<Record<string, string | number>> = {},
  tensors: readonly FixtureTensor[] = [],
): Promise<ModelConfig> {
  const path = join(await tempFolder(), 'm.gguf');
  await writeGguf(path, { ...METADATA, ...metadata }, [EMBEDDING, ...tensors]);
  return modelConfigOfGguf(path);
}

describe('modelConfigOfGguf', () => {
  it('given metadata of a llama, when read, then the shape is as in config.json', async () => {
    expect(await read()).toEqual({
      architecture: 'llama',
      hiddenSize: 64,
      intermediateSize: 128,
      layers: 3,
      attentionHeads: 4,
      kvHeads: 2,
      headDim: 16,
      vocabularySize: 10,
      contextTokens: 512,
      rmsNormEps: 1e-5,
      hiddenActivation: 'silu',
      rope: { theta: 100_000.5, scaling: undefined },
      tiedEmbeddings: true,
      attentionBias: false,
      mlpBias: false,
      bosTokenId: 1,
      eosTokenIds: [2, 9],
      slidingWindow: undefined,
    });
  });

  it('given an output layer and biases, when read, then they are seen', async () => {
    const tensor = (name: string) => ({ name, shape: [2], values: [0, 0] });
    const tensors = ['output.weight', 'blk.0.attn_q.bias', 'blk.0.ffn_gate.bias'].map(tensor);
    expect(await read({}, tensors)).toMatchObject({ tiedEmbeddings: false, attentionBias: true, mlpBias: true });
  });

  it("given Llama 3's worked out rope factors, when read, then they are the scaling", async () => {
    const { rope } = await read({}, [{ name: 'rope_freqs.weight', shape: [4], values: [1, 1, 2.5, 8] }]);
    expect(rope.scaling).toEqual({ type: 'frequency-factors', factors: [1, 1, 2.5, 8] });
  });

  it('given linear scaling, when read, then it has its factor', async () => {
    const { rope } = await read({ 'llama.rope.scaling.type': 'linear', 'llama.rope.scaling.factor': 4 });
    expect(rope.scaling).toEqual({ type: 'linear', factor: 4 });
  });

  it('given experts, when read, then it is no llama', async () => {
    expect((await read({ 'llama.expert_count': 8 })).architecture).toBe('mixtral');
  });

  it.each([
    [{ 'llama.rope.scaling.type': 'yarn' }, /its rope scaling "yarn" is not known; known are linear/],
    [{ 'llama.rope.dimension_count': 8 }, /it rotates 8 of 16 dimensions of a head/],
    [{ 'llama.block_count': 0 }, /its metadata llama\.block_count is not a whole number from 1 to 2147483647, but 0/],
    [{ 'llama.context_length': 1.5 }, /llama\.context_length is not a whole number from 1 to 2147483647, but 1\.5/],
    [{ 'llama.rope.freq_base': 0 }, /llama\.rope\.freq_base is not a number from 0\.000001 to 1e\+30, but 0/],
    [{ 'llama.block_count': 'three' }, /its metadata llama\.block_count is not a number/],
  ])('given %j, when read, then the error says what is not handled', async (metadata, message) => {
    await expect(read(metadata)).rejects.toThrow(message);
  });

  it('given text, when read, then the error says that it is no GGUF file', async () => {
    const path = join(await tempFolder(), 'm.gguf');
    await writeFile(path, 'this is no model');
    await expect(modelConfigOfGguf(path)).rejects.toThrow(/m\.gguf cannot be used: it is not a readable GGUF file/);
  });

  it('given a file that ends anywhere too early, when read, then it is refused', async () => {
    const folder = await tempFolder();
    await writeGguf(join(folder, 'm.gguf'), METADATA, [EMBEDDING]);
    const whole = await readFile(join(folder, 'm.gguf'));
    const headBytes = whole.length - 4 * EMBEDDING.values.length;
    await fc.assert(
      fc.asyncProperty(fc.nat(headBytes), async (bytes) => {
        await writeFile(join(folder, 'cut.gguf'), whole.subarray(0, bytes));
        await expect(modelConfigOfGguf(join(folder, 'cut.gguf'))).rejects.toThrow(UnsupportedModelError);
      }),
      { numRuns: 60 },
    );
  });
});
