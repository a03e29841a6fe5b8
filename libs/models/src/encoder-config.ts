import type { JsonObject } from './json-object.js';
import type { ModelConfig, Pooling } from './model-config.js';

/** What sentence-transformers writes beside an encoder; absent where the model has none. */
export interface EncoderFiles {
  /** `sentence_bert_config.json`: the length it was trained for. */
  readonly sentence?: JsonObject | undefined;
  /** `1_Pooling/config.json`. */
  readonly pooling?: JsonObject | undefined;
}

/** By the hub's `model_type`. */
const ENCODERS: ReadonlySet<unknown> = new Set(['bert']);
const BERT_LAYER_NORM_EPS = 1e-12;

/** What encoders have and decoders have not; nothing for decoders. */
export function encoderConfig(config: JsonObject, { sentence, pooling }: EncoderFiles): Partial<ModelConfig> {
  if (!ENCODERS.has(config['model_type'])) return {};
  const { max_position_embeddings: positions, layer_norm_eps: epsilon, position_embedding_type: kind } = config;
  const trained = sentence?.['max_seq_length'];
  return {
    layerNormEps: typeof epsilon === 'number' ? epsilon : BERT_LAYER_NORM_EPS,
    positionEmbedding: typeof kind === 'string' ? kind : 'absolute',
    pooling: poolingOf(pooling),
    hiddenActivation: typeof config['hidden_act'] === 'string' ? config['hidden_act'] : 'gelu',
    // Vectors of longer texts mean little: the library that the model was made with cuts them off there.
    ...(isCount(trained) && isCount(positions) ? { contextTokens: Math.min(trained, positions) } : {}),
  };
}

/** Exactly one way may be switched on, as `pooling_mode_mean_tokens: true`; newer files name it in `pooling_mode`. */
function poolingOf(pooling: JsonObject | undefined): Pooling {
  if (pooling === undefined) return 'mean';
  const named = pooling['pooling_mode'];
  const active = Object.keys(pooling).filter((key) => key.startsWith('pooling_mode_') && pooling[key] === true);
  if (active.length === 0) return named === 'mean' ? 'mean' : 'unknown';
  return active.length === 1 && active[0] === 'pooling_mode_mean_tokens' ? 'mean' : 'unknown';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
