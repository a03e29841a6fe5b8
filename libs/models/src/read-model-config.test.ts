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

  it('given both, as when a stretch is written into a newer file, when read, then rope_scaling counts alone, as in transformers', () => {
    const rope_parameters = { rope_type: 'linear', factor: 2, rope_theta: 500_000 };
    const read = (others: object) => toModelConfig({ ...llama, rope_parameters, ...others }, {}, 'm').rope;
    expect(read({ rope_scaling: llama3 })).toEqual({ theta: 10_000, scaling });
    expect(read({ rope_scaling: llama3, rope_theta: 700 })).toEqual({ theta: 700, scaling });
    const linear = { type: 'linear', factor: 2 };
    expect(read({ rope_scaling: {}, rope_theta: 700 })).toEqual({ theta: 500_000, scaling: linear });
  });

  it('given rope_theta in rope_scaling, when read, then it goes before the one beside it', () => {
    const rope_scaling = { ...llama3, rope_theta: 700 };
    expect(toModelConfig({ ...llama, rope_scaling, rope_theta: 50_000 }, {}, 'm').rope.theta).toBe(700);
  });

  it('given llama3, when read, then the context before it is the one beside the scaling, in it, or the whole one', () => {
    const scalingOf = (rope: object, others: object = {}) =>
      toModelConfig({ ...llama, rope_scaling: rope, ...others }, {}, 'm').rope.scaling;
    const { original_max_position_embeddings: _, ...without } = llama3;
    expect(scalingOf(llama3, { original_max_position_embeddings: 32 })).toMatchObject({ originalContextTokens: 32 });
    expect(scalingOf(without, { original_max_position_embeddings: 32 })).toMatchObject({ originalContextTokens: 32 });
    expect(scalingOf(without)).toMatchObject({ originalContextTokens: 512 });
  });

  it('given heads that turn in part, when read, then a stretched rotary embedding of them is refused; without one it turns all, as in transformers', () => {
    const refusal = 'its partial_rotary_factor is 0.5, and only whole heads are turned by "llama3"';
    const read = (change: object) => () => toModelConfig({ ...llama, ...change }, {}, 'm');
    expect(read({ rope_scaling: llama3, partial_rotary_factor: 0.5 })).toThrow(refusal);
    expect(read({ rope_scaling: { ...llama3, partial_rotary_factor: 0.5 } })).toThrow(refusal);
    expect(read({ rope_scaling: llama3, partial_rotary_factor: 1 })().rope.scaling).toEqual(scaling);
    expect(read({ partial_rotary_factor: 0.5 })().rope).toEqual({ theta: 10_000, scaling: undefined });
  });

  it('given weights that were quantized by another program, when read, then it is refused with the method', () => {
    const read = (quantization_config: unknown) => () => toModelConfig({ ...llama, quantization_config }, {}, 'org/m');
    expect(read({ quant_method: 'awq', bits: 4 })).toThrow(
      'org/m cannot be used: its weights are quantized by "awq" (quantization_config), which is not read; F32, F16 and BF16 are.',
    );
    expect(read({ bits: 4 })).toThrow('its weights are quantized by a method it does not name (quantization_config)');
    expect(read(null)().architecture).toBe('llama');
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
    const read = (type: string) => () =>
      toModelConfig({ ...llama, rope_scaling: { rope_type: type, factor: 4 } }, {}, 'org/m');
    const known = 'known are linear, llama3 and yarn';
    expect(read('other')).toThrow(
      new UnsupportedModelError('org/m', `its rope scaling "other" is not known; ${known}`),
    );
    expect(read('dynamic')).toThrow('its rope scaling "dynamic" turns keys otherwise the longer a text becomes');
  });

  it('given yarn, when read, then defaults are those of transformers, and the context is the stretched one', () => {
    const read = (parameters: object, others: object = {}) => {
      const rope_scaling = { type: 'yarn', factor: 4, ...parameters };
      return toModelConfig({ ...llama, max_position_embeddings: 512, rope_scaling, ...others }, {}, 'm');
    };
    const usual = { type: 'yarn', factor: 4, betaFast: 32, betaSlow: 1, truncate: true };
    const attentionFactor = 0.1 * Math.log(4) + 1;
    const added = read({ original_max_position_embeddings: 512 });
    expect(added.rope.scaling).toEqual({ ...usual, originalContextTokens: 512, attentionFactor });
    expect(added.contextTokens).toBe(2_048);
    expect(read({ original_max_position_embeddings: 128 }).contextTokens).toBe(512);
    const outside = read({ original_max_position_embeddings: 128 }, { original_max_position_embeddings: 256 });
    expect(outside.rope.scaling).toMatchObject({ originalContextTokens: 256 });
    const own = { beta_fast: 8, beta_slow: 2, truncate: false, attention_factor: 1.5, mscale: 9, mscale_all_dim: 9 };
    expect(read(own).rope.scaling).toMatchObject({ betaFast: 8, betaSlow: 2, truncate: false, attentionFactor: 1.5 });
  });

  it.each<[string, object, string]>([
    ['beta_fast', { beta_fast: -1 }, 'beta_fast in rope_scaling of its config.json is -1'],
    ['attention_factor', { attention_factor: 'x' }, 'attention_factor in rope_scaling of its config.json is "x"'],
    ['truncate', { truncate: 1 }, 'truncate in rope_scaling of its config.json is 1'],
    ['rope_theta', { rope_theta: 1 }, 'its rope_theta is 1, where yarn needs more than 1'],
  ])(
    'given yarn with a %s that is none, when read, then it is refused',
    (_, { rope_theta = 10_000, ...parameters }: { rope_theta?: number }, message) => {
      const read = () =>
        toModelConfig({ ...llama, rope_theta, rope_scaling: { type: 'yarn', factor: 4, ...parameters } }, {}, 'm');
      expect(read).toThrow(message);
    },
  );

  it('given a missing field, when read, then the error names it', () => {
    const { hidden_size: _, ...rest } = llama;
    expect(() => toModelConfig(rest, {}, 'org/m')).toThrow('org/m cannot be used: its config.json has no hidden_size.');
  });

  it('given the other name of SiLU, when read, then it is SiLU', () => {
    expect(toModelConfig({ ...llama, hidden_act: 'swish' }, {}, 'm').hiddenActivation).toBe('silu');
  });

  const whole = 'a whole number from 1 to 2147483647';
  const factor = 'a number from 0.000001 to 1e+30';
  const sizes = [
    ...['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'num_key_value_heads'],
    ...['head_dim', 'vocab_size', 'max_position_embeddings'],
  ].flatMap((key) => [0, -1, 1.5, 1e300, 'abc', true].map((value): [string, unknown, string] => [key, value, whole]));
  it.each<[string, unknown, string]>([
    ...sizes,
    ['rms_norm_eps', -1, 'a number from 0 to 1'],
    ['rms_norm_eps', 1e300, 'a number from 0 to 1'],
    ['rope_theta', 0, factor],
    ['rope_theta', -1, factor],
    ['rope_theta', 'x', factor],
    ['rope_scaling', 'linear', 'an object'],
    ['rope_scaling', [1], 'an object'],
    ['rope_parameters', 'abc', 'an object'],
    ['hidden_act', { a: 1 }, 'a string'],
    ['model_type', 7, 'a string'],
    ['tie_word_embeddings', 'yes', 'true or false'],
    ['attention_bias', 1, 'true or false'],
    ['mlp_bias', 'no', 'true or false'],
  ])('given %s: %j, when read, then it is refused with what is allowed', (key, value, allowed) => {
    expect(() => toModelConfig({ ...llama, [key]: value }, {}, 'org/m')).toThrow(
      `org/m cannot be used: ${key} in its config.json is ${JSON.stringify(value)}, where ${allowed} is expected.`,
    );
  });

  it.each<[string, object, string]>([
    ['factor', { type: 'linear', factor: 0 }, `is 0, where ${factor}`],
    ['factor', { type: 'linear', factor: -2 }, `is -2, where ${factor}`],
    ['factor', { ...llama3, factor: 0 }, `is 0, where ${factor}`],
    ['low_freq_factor', { ...llama3, low_freq_factor: -1 }, `is -1, where ${factor}`],
    ['original_max_position_embeddings', { ...llama3, original_max_position_embeddings: 0 }, `is 0, where ${whole}`],
    ['rope_type', { rope_type: 7 }, 'is 7, where a string'],
  ])('given %s in the rope scaling %j, when read, then it is refused', (key, rope, reason) => {
    const read = (place: string) => () => toModelConfig({ ...llama, [place]: rope }, {}, 'org/m');
    for (const place of ['rope_scaling', 'rope_parameters']) {
      expect(read(place)).toThrow(`org/m cannot be used: ${key} in ${place} of its config.json ${reason} is expected.`);
    }
  });

  it('given a llama3 scaling whose bounds are in the wrong order, when read, then it is refused', () => {
    const read = () => toModelConfig({ ...llama, rope_scaling: { ...llama3, high_freq_factor: 1 } }, {}, 'm');
    expect(read).toThrow('high_freq_factor of its rope scaling is 1, where more than low_freq_factor, 1, is expected');
  });
});
