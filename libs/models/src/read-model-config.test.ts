import { describe, expect, it } from 'vitest';
import { UnsupportedModelError } from './errors.js';
import { toModelConfig } from './folder-model-config.js';

const llama = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  hidden_act: 'silu',
  vocab_size: 512,
  bos_token_id: 0,
  eos_token_id: 1,
};
const llama3 = {
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 64,
  rope_type: 'llama3',
};
const scaling = { type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalContextTokens: 64 };

describe('toModelConfig', () => {
  it('given rope_parameters of transformers 5, when read, then theta and scaling are in one place', () => {
    const config = toModelConfig({ ...llama, rope_parameters: { ...llama3, rope_theta: 500_000 } }, {}, 'm');
    expect(config.rope).toEqual({ theta: 500_000, scaling });
  });

  it('given rope_theta and rope_scaling of older files, when read, then the result is the same', () => {
    const config = toModelConfig({ ...llama, rope_theta: 500_000, rope_scaling: llama3 }, {}, 'm');
    expect(config.rope).toEqual({ theta: 500_000, scaling });
  });

  it('given the older name `type` and a linear factor, when read, then the scaling is linear', () => {
    const config = toModelConfig({ ...llama, rope_scaling: { type: 'linear', factor: 2 } }, {}, 'm');
    expect(config.rope).toEqual({ theta: 10_000, scaling: { type: 'linear', factor: 2 } });
  });

  it('given null for absent values, when read, then defaults hold', () => {
    const config = toModelConfig({ ...llama, rope_scaling: null, head_dim: null, sliding_window: null }, {}, 'm');
    expect(config).toMatchObject({ headDim: 16, rope: { theta: 10_000 }, slidingWindow: undefined });
  });

  it('given end ids in both files, when read, then all of them end a generation', () => {
    const config = toModelConfig({ ...llama, eos_token_id: [128_009, 1] }, { eos_token_id: [128_008, 1] }, 'm');
    expect(config.eosTokenIds).toEqual([1, 128_008, 128_009]);
  });

  it('given an unknown rope scaling, when read, then the error names it', () => {
    const read = () => toModelConfig({ ...llama, rope_scaling: { rope_type: 'yarn', factor: 4 } }, {}, 'org/m');
    expect(read).toThrow(new UnsupportedModelError('org/m', 'its rope scaling "yarn" is not known'));
  });

  it('given a missing field, when read, then the error names it', () => {
    const { hidden_size: _, ...rest } = llama;
    expect(() => toModelConfig(rest, {}, 'org/m')).toThrow(
      'org/m cannot be used: its config.json has no hidden_size; its architecture is "llama".',
    );
  });
});
