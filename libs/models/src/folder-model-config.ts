import { join } from 'node:path';
import { ConfigValues } from './config-values.js';
import { commonConfig, encoderConfig } from './encoder-config.js';
import { type EncoderFiles, readEncoderFiles, readJson } from './encoder-files.js';
import { UnsupportedModelError } from './errors.js';
import { ropeOfFolder } from './folder-rope.js';
import type { JsonObject } from './json-object.js';
import type { ModelConfig } from './model-config.js';

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
  checkIsPlain(values, name);
  const size = (key: string) => values.required(key, values.size(key));

  const hiddenSize = size('hidden_size');
  const attentionHeads = size('num_attention_heads');
  const rope = ropeOfFolder(values, name);
  return {
    architecture,
    hiddenSize,
    intermediateSize: size('intermediate_size'),
    layers: size('num_hidden_layers'),
    attentionHeads,
    kvHeads: values.size('num_key_value_heads') ?? attentionHeads,
    headDim: values.size('head_dim') ?? hiddenSize / attentionHeads,
    vocabularySize: size('vocab_size'),
    contextTokens: Math.max(size('max_position_embeddings'), stretchedContext(rope)),
    rmsNormEps: values.number('rms_norm_eps', 0, 1) ?? 1e-6,
    hiddenActivation: activation(values.string('hidden_act')),
    rope,
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

/** Models that YaRN was added to afterwards, as Qwen's cards say how, keep their old `max_position_embeddings`. */
function stretchedContext({ scaling }: ModelConfig['rope']): number {
  return scaling?.type === 'yarn'
    ? Math.min(Math.floor(scaling.originalContextTokens * scaling.factor), 2 ** 31 - 1)
    : 0;
}

/** Weights that another program packed have other names and types; the error then names the first tensor that is missing, not why. */
function checkIsPlain(values: ConfigValues, name: string): void {
  const quantization = values.object('quantization_config');
  if (quantization === undefined) return;
  const { quant_method: method } = quantization;
  const by = typeof method === 'string' ? JSON.stringify(method) : 'a method it does not name';
  const reason = `its weights are quantized by ${by} (quantization_config), which is not read; F32, F16 and BF16 are`;
  throw new UnsupportedModelError(name, reason);
}

/** transformers has two names for SiLU. */
function activation(name: string | undefined): string {
  return name === undefined || name === 'swish' ? 'silu' : name;
}

function tokenIds(value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).filter((id): id is number => Number.isSafeInteger(id) && id >= 0);
}
