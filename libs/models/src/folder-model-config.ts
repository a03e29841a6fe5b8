import { join } from 'node:path';
import { commonConfig, encoderConfig } from './encoder-config.js';
import { type EncoderFiles, readEncoderFiles, readJson } from './encoder-files.js';
import { UnsupportedModelError } from './errors.js';
import { isJsonObject, type JsonObject } from './json-object.js';
import type { ModelConfig, RopeScaling } from './model-config.js';

/** Reads the shape from config.json, what ends a generation from generation_config.json, an encoder's use from sentence-transformers' files. */
export async function modelConfigOfFolder(folder: string): Promise<ModelConfig> {
  const config = await readJson(join(folder, 'config.json'), folder);
  if (config === undefined) throw new UnsupportedModelError(folder, 'it has no config.json');
  const generation = (await readJson(join(folder, 'generation_config.json'), folder)) ?? {};
  return toModelConfig(config, generation, folder, await readEncoderFiles(folder));
}

/** @param name  how errors call the model */
export function toModelConfig(
  source: JsonObject,
  generation: JsonObject,
  name: string,
  encoder: EncoderFiles = {},
): ModelConfig {
  const config = commonConfig(source);
  const architecture = config['model_type'];
  if (typeof architecture !== 'string') throw new UnsupportedModelError(name, 'its config.json has no model_type');
  const optional = (key: string): number | undefined => {
    const value = config[key] ?? undefined;
    if (value === undefined || Number.isFinite(value)) return value as number | undefined;
    throw new UnsupportedModelError(name, `${key} in its config.json is not a number`);
  };
  const required = (key: string): number => {
    const value = optional(key);
    if (value === undefined) {
      const reason = `its config.json has no ${key}; its architecture is ${JSON.stringify(architecture)}`;
      throw new UnsupportedModelError(name, reason);
    }
    return value;
  };

  const hiddenSize = required('hidden_size');
  const attentionHeads = required('num_attention_heads');
  return {
    architecture,
    hiddenSize,
    intermediateSize: required('intermediate_size'),
    layers: required('num_hidden_layers'),
    attentionHeads,
    kvHeads: optional('num_key_value_heads') ?? attentionHeads,
    headDim: optional('head_dim') ?? hiddenSize / attentionHeads,
    vocabularySize: required('vocab_size'),
    contextTokens: required('max_position_embeddings'),
    rmsNormEps: optional('rms_norm_eps') ?? 1e-6,
    hiddenActivation: typeof config['hidden_act'] === 'string' ? config['hidden_act'] : 'silu',
    rope: rope(config, name),
    tiedEmbeddings: config['tie_word_embeddings'] === true,
    attentionBias: typeof config['attention_bias'] === 'boolean' ? config['attention_bias'] : architecture === 'qwen2',
    mlpBias: config['mlp_bias'] === true,
    bosTokenId: tokenIds(config['bos_token_id'])[0],
    eosTokenIds: [...new Set([...tokenIds(config['eos_token_id']), ...tokenIds(generation['eos_token_id'])])].sort(
      (a, b) => a - b,
    ),
    slidingWindow: config['use_sliding_window'] === false ? undefined : optional('sliding_window'),
    ...encoderConfig(config, encoder, name),
  };
}

/** transformers 5 writes `rope_parameters`, older ones `rope_theta` and `rope_scaling`. */
function rope(config: JsonObject, name: string): ModelConfig['rope'] {
  const parameters = isJsonObject(config['rope_parameters']) ? config['rope_parameters'] : undefined;
  const scaling = parameters ?? (isJsonObject(config['rope_scaling']) ? config['rope_scaling'] : {});
  const number = (key: string): number => {
    const value = scaling[key];
    if (!Number.isFinite(value)) throw new UnsupportedModelError(name, `its rope scaling has no ${key}`);
    return value as number;
  };
  const theta = parameters?.['rope_theta'] ?? config['rope_theta'] ?? 10_000;
  if (!Number.isFinite(theta)) throw new UnsupportedModelError(name, 'rope_theta in its config.json is not a number');
  return { theta: theta as number, scaling: ropeScaling(scaling['rope_type'] ?? scaling['type'], number, name) };
}

function ropeScaling(type: unknown, number: (key: string) => number, name: string): RopeScaling | undefined {
  switch (type) {
    case undefined:
    case 'default':
      return undefined;
    case 'linear':
      return { type, factor: number('factor') };
    case 'llama3':
      return {
        type,
        factor: number('factor'),
        lowFreqFactor: number('low_freq_factor'),
        highFreqFactor: number('high_freq_factor'),
        originalContextTokens: number('original_max_position_embeddings'),
      };
    default:
      throw new UnsupportedModelError(name, `its rope scaling ${JSON.stringify(type)} is not known`);
  }
}

function tokenIds(value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).filter((id): id is number => Number.isSafeInteger(id) && id >= 0);
}
