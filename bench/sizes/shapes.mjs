/** Llama shapes by name: the hub's `config.json` fields of well-known models. Weights are random, so only shapes and times mean anything. */
const LLAMA = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  dtype: 'bfloat16',
  bos_token_id: 0,
  eos_token_id: 1,
};

export const SHAPES = {
  /** Llama 2 7B: every head has keys and values of its own, 1 MiB of KV a token. */
  '7b': {
    ...LLAMA,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    vocab_size: 32_000,
    max_position_embeddings: 4096,
    rope_theta: 10_000,
    tie_word_embeddings: false,
  },
  /** Llama 3.2 1B: grouped heads, a vocabulary of 128k that is also the output layer, stretched rotary embedding. */
  '1b': {
    ...LLAMA,
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 16,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 64,
    vocab_size: 128_256,
    max_position_embeddings: 131_072,
    rope_theta: 500_000,
    rope_scaling: {
      rope_type: 'llama3',
      factor: 32,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    },
    tie_word_embeddings: true,
  },
  /** SmolLM2-135M. */
  '135m': {
    ...LLAMA,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    vocab_size: 49_152,
    max_position_embeddings: 8192,
    rope_theta: 100_000,
    tie_word_embeddings: true,
  },
  /** Seconds from end to end: to try the script itself. */
  tiny: {
    ...LLAMA,
    hidden_size: 128,
    intermediate_size: 256,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    vocab_size: 1024,
    max_position_embeddings: 1024,
    rope_theta: 10_000,
    tie_word_embeddings: false,
  },
};

/** Names and shapes of a checkpoint's tensors, in the order of the layers. */
export function* tensorsOf(config) {
  const { hidden_size: hidden, intermediate_size: intermediate, vocab_size: vocabulary } = config;
  const headDim = config.head_dim ?? hidden / config.num_attention_heads;
  const queries = config.num_attention_heads * headDim;
  const keys = config.num_key_value_heads * headDim;
  yield ['model.embed_tokens.weight', [vocabulary, hidden]];
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const at = `model.layers.${layer}`;
    yield [`${at}.input_layernorm.weight`, [hidden]];
    yield [`${at}.self_attn.q_proj.weight`, [queries, hidden]];
    yield [`${at}.self_attn.k_proj.weight`, [keys, hidden]];
    yield [`${at}.self_attn.v_proj.weight`, [keys, hidden]];
    yield [`${at}.self_attn.o_proj.weight`, [hidden, queries]];
    yield [`${at}.post_attention_layernorm.weight`, [hidden]];
    yield [`${at}.mlp.gate_proj.weight`, [intermediate, hidden]];
    yield [`${at}.mlp.up_proj.weight`, [intermediate, hidden]];
    yield [`${at}.mlp.down_proj.weight`, [hidden, intermediate]];
  }
  yield ['model.norm.weight', [hidden]];
  if (!config.tie_word_embeddings) yield ['lm_head.weight', [vocabulary, hidden]];
}

const elementsOf = (config) =>
  [...tensorsOf(config)].reduce((sum, [, shape]) => sum + shape.reduce((product, size) => product * size, 1), 0);

/** Of the checkpoint, in bf16. */
export const sourceBytes = (config) => elementsOf(config) * 2;

/** Bytes a weight with its block's share of scales and offsets, as if every tensor had them; the 8-bit tables of int4 come on top. */
const BYTES_PER_WEIGHT = { int4: 0.75, int8: 1 + 5 / 32, fp32: 4 };

/** A little more than the compiled weights take. */
export function compiledBytesAtMost(config, weights) {
  const tables = 2 * config.vocab_size * config.hidden_size;
  return elementsOf(config) * BYTES_PER_WEIGHT[weights] + (weights === 'int4' ? tables * 0.4 : 0);
}
