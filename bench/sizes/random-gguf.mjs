import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { buildGgufHeader, GGUFValueType, gguf } from '@huggingface/gguf';
import { loadConfig } from '#lib/config';
import { ModelStore } from '#lib/models';
import { F32, halfBits, Q4_1, Q8_0 } from '../node-llama-cpp/gguf-blocks.mjs';
import { tensorInfo } from '../node-llama-cpp/rewrite-gguf.mjs';
import { tensorsOf } from './shapes.mjs';

const TOKENIZER_OF = 'smollm2-135m-instruct';
const ALIGNMENT = 32;
const BLOCK_VALUES = 32;
const POOL_BLOCKS = 1 << 16;
/** Standard deviation that Llama models start their training with. */
const DEVIATION = 0.02;
/** What a step between two neighbouring values is, for values that are all as likely. */
const STEP = { [Q4_1]: DEVIATION / Math.sqrt((16 ** 2 - 1) / 12), [Q8_0]: DEVIATION / Math.sqrt((256 ** 2 - 1) / 12) };
const SCALES = { [Q4_1]: [STEP[Q4_1], -7.5 * STEP[Q4_1]], [Q8_0]: [STEP[Q8_0]] };
const BLOCK_BYTES = { [Q4_1]: 20, [Q8_0]: 34 };

const GGUF_NAMES = [
  ['model.embed_tokens', 'token_embd'],
  ['model.norm', 'output_norm'],
  ['lm_head', 'output'],
  ['model.layers.', 'blk.'],
  ['input_layernorm', 'attn_norm'],
  ['post_attention_layernorm', 'ffn_norm'],
  ['self_attn.o_proj', 'attn_output'],
  ['self_attn.', 'attn_'],
  ['mlp.', 'ffn_'],
  ['_proj', ''],
];

/**
 * Writes a GGUF file with the shapes of a model, random weights (matrices as Q4_1, the table of tokens as Q8_0) and the default
 * model's tokenizer, so that the embedded engine and its peers load the same.
 * @param {string} path
 * @param {object} shape  fields of a `config.json`, as in `SHAPES`, with at least as many tokens as the tokenizer
 */
export async function writeRandomGguf(path, shape) {
  const tensors = [...tensorsOf(shape)].map(([name, [rows, columns]]) => {
    const ggufName = GGUF_NAMES.reduce((text, [from, to]) => text.replace(from, to), name);
    // in GGUF the length of a row comes first
    if (columns === undefined) return { name: ggufName, shape: [rows], type: F32, byteLength: 4 * rows };
    const type = name.includes('.layers.') ? Q4_1 : Q8_0;
    const byteLength = ((rows * columns) / BLOCK_VALUES) * BLOCK_BYTES[type];
    return { name: ggufName, shape: [columns, rows], type, byteLength };
  });
  const infos = [];
  let offset = 0;
  for (const tensor of tensors) {
    infos.push(tensorInfo(tensor, tensor.type, offset));
    offset += aligned(tensor.byteLength);
  }
  const infoBytes = Buffer.concat(infos);
  const header = await buildGgufHeader(new Blob([infoBytes]), await metadataOf(shape, tensors.length), {
    littleEndian: true,
    tensorInfoByteRange: [0, infoBytes.length],
    alignment: ALIGNMENT,
  });
  const pools = { [Q4_1]: randomBlocks(Q4_1), [Q8_0]: randomBlocks(Q8_0) };
  const file = openSync(path, 'w');
  try {
    writeSync(file, Buffer.from(await header.arrayBuffer()));
    for (const { type, byteLength } of tensors) {
      if (type === F32) writeSync(file, Buffer.from(new Float32Array(byteLength / 4).fill(1).buffer));
      else writeRepeated(file, pools[type], byteLength);
      writeSync(file, Buffer.alloc(aligned(byteLength) - byteLength));
    }
  } finally {
    closeSync(file);
  }
}

/** That of the default model, but for what the shape says; the vocabulary is filled up with tokens that no text becomes. */
async function metadataOf(shape, tensorCount) {
  const { ggufPath } = await new ModelStore(loadConfig().storage).pullModel(TOKENIZER_OF);
  const { typedMetadata } = await gguf(ggufPath, { typedMetadata: true, allowLocalFile: true });
  const headDim = shape.head_dim ?? shape.hidden_size / shape.num_attention_heads;
  const { UINT32, FLOAT32, STRING } = GGUFValueType;
  const set = (key, type, value) => {
    typedMetadata[key] = { type, value };
  };
  typedMetadata.tensor_count.value = BigInt(tensorCount);
  set('general.name', STRING, 'random weights');
  set('llama.block_count', UINT32, shape.num_hidden_layers);
  set('llama.context_length', UINT32, shape.max_position_embeddings);
  set('llama.embedding_length', UINT32, shape.hidden_size);
  set('llama.feed_forward_length', UINT32, shape.intermediate_size);
  set('llama.attention.head_count', UINT32, shape.num_attention_heads);
  set('llama.attention.head_count_kv', UINT32, shape.num_key_value_heads);
  set('llama.attention.layer_norm_rms_epsilon', FLOAT32, shape.rms_norm_eps);
  set('llama.rope.freq_base', FLOAT32, shape.rope_theta);
  set('llama.rope.dimension_count', UINT32, headDim);
  set('llama.vocab_size', UINT32, shape.vocab_size);
  const tokens = typedMetadata['tokenizer.ggml.tokens'].value;
  const types = typedMetadata['tokenizer.ggml.token_type'].value;
  if (tokens.length > shape.vocab_size) throw new RangeError(`This tokenizer has ${tokens.length} tokens.`);
  const normalType = types[tokens.indexOf('a')];
  for (let id = tokens.length; id < shape.vocab_size; id++) {
    tokens.push(`[PAD${id}]`);
    types.push(normalType);
  }
  return typedMetadata;
}

function randomBlocks(type) {
  const blocks = randomFillSync(Buffer.alloc(POOL_BLOCKS * BLOCK_BYTES[type]));
  for (let at = 0; at < blocks.length; at += BLOCK_BYTES[type]) {
    for (const [index, scale] of SCALES[type].entries()) blocks.writeUInt16LE(halfBits(scale), at + 2 * index);
  }
  return blocks;
}

function writeRepeated(file, pool, byteLength) {
  for (let written = 0; written < byteLength; ) {
    written += writeSync(file, pool, 0, Math.min(pool.length, byteLength - written));
  }
}

function aligned(byteLength) {
  return Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT;
}
