import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TINY = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 80,
  max_position_embeddings: 128,
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  eos_token_id: 1,
} as const;

type Config = Record<keyof typeof TINY, number | string | boolean> & Record<string, unknown>;

/**
 * Writes `config.json` and float32 weights of the shapes it asks for: always the same ones.
 * @param change   to the tiny configuration
 * @param further  shapes of tensors behind the others
 */
export function writeRandomLlama(
  folder: string,
  change: Readonly<Record<string, unknown>>,
  further: Readonly<Record<string, number[]>> = {},
): void {
  const config: Config = { ...TINY, ...change };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const header: Record<string, unknown> = {};
  const parts: Float32Array[] = [];
  let offset = 0;
  let state = 20261128;
  for (const [name, shape] of [...tensorsOf(config), ...Object.entries(further)]) {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < values.length; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; // a linear congruential generator
      const number = state / 2 ** 31 - 1;
      values[i] = shape.length === 1 ? 1 + number / 2 : number / Math.sqrt(shape[1] as number);
    }
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
    parts.push(values);
  }
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  const bytes = parts.map(({ buffer }) => Buffer.from(buffer as ArrayBuffer));
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([prefix, text, ...bytes]));
}

function* tensorsOf(config: Config): Generator<[name: string, shape: number[]]> {
  const size = (key: string) => config[key] as number;
  const hidden = size('hidden_size');
  const intermediate = size('intermediate_size');
  const headDim = Math.floor((config['head_dim'] as number | undefined) ?? hidden / size('num_attention_heads'));
  const queries = size('num_attention_heads') * headDim;
  const keys = size('num_key_value_heads') * headDim;
  yield ['model.embed_tokens.weight', [size('vocab_size'), hidden]];
  for (let layer = 0; layer < size('num_hidden_layers'); layer++) {
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
  if (config.tie_word_embeddings === false) yield ['lm_head.weight', [size('vocab_size'), hidden]];
}
