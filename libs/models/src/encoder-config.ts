import type { EncoderFiles } from './encoder-files.js';
import { UnsupportedModelError } from './errors.js';
import type { JsonObject } from './json-object.js';
import { type EncoderShape, type ModelConfig, POOLINGS, type Pooling } from './model-config.js';

interface EncoderFamily {
  /** RoBERTa's way: positions are counted from behind the id that fills up. */
  readonly countsFromPad: boolean;
  /** Its tokenizer is BERT's, which transformers tells by `do_lower_case` whether it makes texts lower case. */
  readonly isToldToLower: boolean;
}

/** By the hub's `model_type`. */
const FAMILIES: ReadonlyMap<unknown, EncoderFamily> = new Map([
  ['bert', { countsFromPad: false, isToldToLower: true }],
  ['distilbert', { countsFromPad: false, isToldToLower: true }],
  ['mpnet', { countsFromPad: true, isToldToLower: true }],
  ['roberta', { countsFromPad: true, isToldToLower: false }],
  ['xlm-roberta', { countsFromPad: true, isToldToLower: false }],
  ['camembert', { countsFromPad: true, isToldToLower: false }],
]);
/** What transformers takes where a configuration is silent. */
const LAYER_NORM_EPS = 1e-12;
const PAD_TOKEN_ID = 1;

/** DistilBERT's own words. */
const COMMON_KEYS: Readonly<Record<string, string>> = {
  dim: 'hidden_size',
  hidden_dim: 'intermediate_size',
  n_layers: 'num_hidden_layers',
  n_heads: 'num_attention_heads',
  activation: 'hidden_act',
};
/** Heads that a checkpoint may have been saved with; of these, the encoder alone is no model of sentences. */
const OTHER_TASKS = /For(SequenceClassification|TokenClassification|QuestionAnswering|MultipleChoice)$/;

/** @returns the configuration in the words that most architectures share */
export function commonConfig(config: JsonObject): JsonObject {
  if (config['model_type'] !== 'distilbert') return config;
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [COMMON_KEYS[key] ?? key, value]));
}

/**
 * What is to be known of an encoder beside what it shares with decoders; nothing for decoders.
 * @param config  in common words
 * @param name    how errors call the model
 * @throws UnsupportedModelError when its vectors are made in a way that we do not compute
 */
export function encoderConfig(config: JsonObject, files: EncoderFiles, name: string): Partial<ModelConfig> {
  const architecture = config['model_type'];
  const family = FAMILIES.get(architecture);
  if (family === undefined) return {};
  const refuse = (reason: string) => new UnsupportedModelError(name, `it is a ${architecture} encoder, but ${reason}`);
  checkTask(config, files, refuse);
  checkModules(files, refuse);
  checkLetters(family, files, refuse);
  const { layer_norm_eps: epsilon, position_embedding_type: kind, pad_token_id: pad, hidden_act: activation } = config;
  const positionPadTokenId = family.countsFromPad ? (isCount(pad) ? pad : PAD_TOKEN_ID) : undefined;
  const encoder: EncoderShape = {
    layerNormEps: typeof epsilon === 'number' ? epsilon : LAYER_NORM_EPS,
    positionEmbedding: typeof kind === 'string' ? kind : 'absolute',
    ...(positionPadTokenId === undefined ? {} : { positionPadTokenId }),
    pooling: poolingOf(files, refuse),
    isNormalized: files.modules?.some(({ kind: module }) => module === 'Normalize') ?? true,
  };
  return {
    encoder,
    contextTokens: contextOf(config, files, positionPadTokenId, refuse),
    hiddenActivation: typeof activation === 'string' ? activation : 'gelu',
  };
}

type Refuse = (reason: string) => UnsupportedModelError;

function checkTask(config: JsonObject, { modules }: EncoderFiles, refuse: Refuse): void {
  if (config['is_decoder'] === true) throw refuse('its configuration makes a decoder of it (is_decoder)');
  const { architectures } = config;
  if (modules !== undefined || !Array.isArray(architectures)) return;
  const head = architectures.find((one): one is string => typeof one === 'string' && OTHER_TASKS.test(one));
  if (head !== undefined) throw refuse(`it was trained for something else than embeddings (${head})`);
}

/** Transformer, Pooling and maybe Normalize, in this order, are the modules that we compute. */
function checkModules({ modules }: EncoderFiles, refuse: Refuse): void {
  const kinds = modules?.map(({ kind }) => kind).join(', ');
  if (kinds === undefined || /^Transformer, Pooling(, Normalize)?$/.test(kinds)) return;
  throw refuse(`its modules are ${kinds}; known are Transformer, Pooling and Normalize, in this order`);
}

/** We do with texts what tokenizer.json says; other files may ask for something else. */
function checkLetters(family: EncoderFamily, files: EncoderFiles, refuse: Refuse): void {
  const { sentence, tokenizerConfig, lowersCase } = files;
  if (sentence?.['do_lower_case'] === true && lowersCase !== true) {
    throw refuse('it wants texts in lower case, and its tokenizer.json does not make them so');
  }
  const isToLower = tokenizerConfig?.['do_lower_case'];
  if (family.isToldToLower && typeof isToLower === 'boolean' && isToLower !== lowersCase) {
    throw refuse(`its tokenizer_config.json says do_lower_case: ${isToLower}, and its tokenizer.json the contrary`);
  }
}

/** Vectors of longer texts mean little: the library that the model was made with cuts them off where training ended. */
function contextOf(config: JsonObject, files: EncoderFiles, padTokenId: number | undefined, refuse: Refuse): number {
  const { max_position_embeddings: positions } = config;
  const rows = (isCount(positions) ? positions : 0) - (padTokenId === undefined ? 0 : padTokenId + 1);
  if (rows < 1) throw refuse(`its ${String(positions)} positions leave none for a token`);
  const trained = files.sentence?.['max_seq_length'] ?? files.tokenizerConfig?.['model_max_length'];
  return isCount(trained) && trained > 0 ? Math.min(trained, rows) : rows;
}

/** Exactly one way may be switched on, as `pooling_mode_mean_tokens: true`; newer files name it in `pooling_mode`. */
function poolingOf({ pooling, modules }: EncoderFiles, refuse: Refuse): Pooling {
  if (pooling === undefined && modules !== undefined) throw refuse('the config.json of its pooling is missing');
  if (pooling === undefined) return 'mean';
  const switches = Object.keys(pooling).filter((key) => key.startsWith('pooling_mode_') && pooling[key] === true);
  const switchedOn = switches.map((key) => key.slice('pooling_mode_'.length).replace(/_tokens?$/, ''));
  const named = [pooling['pooling_mode'] ?? switchedOn].flat();
  const known = POOLINGS.find((one) => one === named[0]);
  if (known !== undefined && named.length === 1) return known;
  throw refuse(`its pooling is ${named.join(' and ') || 'not said'}; known are ${POOLINGS.join(', ')}, one of them`);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
