import { join } from 'node:path';
import { ConfigValues } from './config-values.js';
import { commonConfig, encoderConfig } from './encoder-config.js';
import { type EncoderFiles, readEncoderFiles, readJson } from './encoder-files.js';
import { UnsupportedModelError } from './errors.js';
import type { JsonObject } from './json-object.js';
import type { ModelConfig, RopeScaling } from './model-config.js';

/** Reads the shape from config.json, what ends a generation from generation_config.json, an encoder's use from sentence-transformers' files. */
export async function modelConfigOfFolder(folder: string): Promise<ModelConfig> {
  const config = await readJson(join(folder, 'config.json'), folder);
  if (config === undefined) throw new UnsupportedModelError(folder, 'it has no config.json');
  const generation = (await readJson(join(folder, 'generation_config.json'), folder)) ?? {};
  return toModelConfig(config, generation, folder, await readEncoderFiles(folder));
}

/** @throws UnsupportedModelError when config.json is missing, or not JSON */
export async function architectureOfFolder(folder: string): Promise<string | undefined> {
  const config = await readJson(join(folder, 'config.json'), folder);
  if (config === undefined) throw new UnsupportedModelError(folder, 'it has no config.json');
  return new ConfigValues(config, folder, 'its config.json').string('model_type');
}

/** @param name  how errors call the model */
export function toModelConfig(
  source: JsonObject,
  generation: JsonObject,
  name: string,
  encoder: EncoderFiles = {},
): ModelConfig {
  const config = commonConfig(source);
  const values = new ConfigValues(config, name, 'its config.json');
  const architecture = values.required('model_type', values.string('model_type'));
  const size = (key: string) => values.required(key, values.size(key));

  const hiddenSize = size('hidden_size');
  const attentionHeads = size('num_attention_heads');
  return {
    architecture,
    hiddenSize,
    intermediateSize: size('intermediate_size'),
    layers: size('num_hidden_layers'),
    attentionHeads,
    kvHeads: values.size('num_key_value_heads') ?? attentionHeads,
    headDim: values.size('head_dim') ?? hiddenSize / attentionHeads,
    vocabularySize: size('vocab_size'),
    contextTokens: size('max_position_embeddings'),
    rmsNormEps: values.number('rms_norm_eps', 0, 1) ?? 1e-6,
    hiddenActivation: activation(values.string('hidden_act')),
    rope: rope(values, name),
    tiedEmbeddings: values.boolean('tie_word_embeddings') ?? false,
    attentionBias: values.boolean('attention_bias') ?? architecture === 'qwen2',
    mlpBias: values.boolean('mlp_bias') ?? false,
    bosTokenId: tokenIds(config['bos_token_id'])[0],
    eosTokenIds: [...new Set([...tokenIds(config['eos_token_id']), ...tokenIds(generation['eos_token_id'])])].sort(
      (a, b) => a - b,
    ),
    slidingWindow: config['use_sliding_window'] === false ? undefined : values.size('sliding_window'),
    ...encoderConfig(config, encoder, name),
  };
}

/** transformers has two names for SiLU. */
function activation(name: string | undefined): string {
  return name === undefined || name === 'swish' ? 'silu' : name;
}

/** transformers 5 writes `rope_parameters`, older ones `rope_theta` and `rope_scaling`. */
function rope(values: ConfigValues, name: string): ModelConfig['rope'] {
  const parameters = values.object('rope_parameters');
  const older = values.object('rope_scaling');
  const place = parameters === undefined ? 'rope_scaling' : 'rope_parameters';
  const scaling = new ConfigValues(parameters ?? older ?? {}, name, `${place} of its config.json`);
  const theta = (parameters && scaling.factor('rope_theta')) ?? values.factor('rope_theta') ?? 10_000;
  return { theta, scaling: ropeScaling(scaling, name) };
}

function ropeScaling(values: ConfigValues, name: string): RopeScaling | undefined {
  const factor = (key: string) => values.required(key, values.factor(key));
  const type = values.string('rope_type') ?? values.string('type');
  switch (type) {
    case undefined:
    case 'default':
      return undefined;
    case 'linear':
      return { type, factor: factor('factor') };
    case 'llama3': {
      const key = 'original_max_position_embeddings';
      const lowFreqFactor = factor('low_freq_factor');
      const highFreqFactor = factor('high_freq_factor');
      if (highFreqFactor <= lowFreqFactor) {
        const reason = `high_freq_factor of its rope scaling is ${highFreqFactor}, where more than low_freq_factor, ${lowFreqFactor}, is expected`;
        throw new UnsupportedModelError(name, reason);
      }
      const originalContextTokens = values.required(key, values.size(key));
      return { type, factor: factor('factor'), lowFreqFactor, highFreqFactor, originalContextTokens };
    }
    default:
      throw new UnsupportedModelError(name, `its rope scaling ${JSON.stringify(type)} is not known`);
  }
}

function tokenIds(value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).filter((id): id is number => Number.isSafeInteger(id) && id >= 0);
}
