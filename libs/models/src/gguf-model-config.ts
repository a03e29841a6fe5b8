import { UnsupportedModelError } from './errors.js';
import { GgufHeader } from './gguf-header.js';
import type { ModelConfig, RopeScaling } from './model-config.js';

export async function architectureOfGguf(path: string): Promise<string | undefined> {
  return (await GgufHeader.read(path)).string('general.architecture');
}

/** Reads the shape of a decoder from the metadata and tensor list of a GGUF file. */
export async function modelConfigOfGguf(path: string): Promise<ModelConfig> {
  const header = await GgufHeader.read(path);
  const family = header.required('general.architecture', header.string('general.architecture'));
  const key = (name: string) => `${family}.${name}`;
  const size = (name: string) => header.required(key(name), header.size(key(name)));

  const hiddenSize = size('embedding_length');
  const attentionHeads = size('attention.head_count');
  const headDim = header.size(key('attention.key_length')) ?? hiddenSize / attentionHeads;
  const rotaryDimensions = header.number(key('rope.dimension_count')) ?? headDim;
  if (rotaryDimensions !== headDim) {
    throw new UnsupportedModelError(path, `it rotates ${rotaryDimensions} of ${headDim} dimensions of a head`);
  }
  return {
    // Mixtral is written as a llama with experts.
    architecture: family === 'llama' && (header.number(key('expert_count')) ?? 0) > 0 ? 'mixtral' : family,
    hiddenSize,
    intermediateSize: size('feed_forward_length'),
    layers: size('block_count'),
    attentionHeads,
    kvHeads: header.size(key('attention.head_count_kv')) ?? attentionHeads,
    headDim,
    vocabularySize: embeddingRows(header),
    contextTokens: size('context_length'),
    rmsNormEps: header.float(key('attention.layer_norm_rms_epsilon')) ?? 1e-5,
    hiddenActivation: 'silu',
    rope: { theta: header.factor(key('rope.freq_base')) ?? 10_000, scaling: await ropeScaling(header, family) },
    tiedEmbeddings: header.tensor('output.weight') === undefined,
    attentionBias: header.tensor('blk.0.attn_q.bias') !== undefined,
    mlpBias: header.tensor('blk.0.ffn_gate.bias') !== undefined,
    bosTokenId: header.number('tokenizer.ggml.bos_token_id'),
    eosTokenIds: ggufEosTokenIds(header),
    slidingWindow: header.number(key('attention.sliding_window')),
  };
}

/** End of text, of a turn, of a message: each of them ends a generation. */
export function ggufEosTokenIds(header: GgufHeader): number[] {
  const ids = ['eos', 'eot', 'eom'].map((name) => header.number(`tokenizer.ggml.${name}_token_id`));
  return [...new Set(ids.filter((id) => id !== undefined))].sort((a, b) => a - b);
}

function embeddingRows(header: GgufHeader): number {
  const embedding = header.required('tensor token_embd.weight', header.tensor('token_embd.weight'));
  // GGUF lists the fastest dimension first: [hidden, vocabulary].
  return Number(header.required('second dimension of token_embd.weight', embedding.shape[1]));
}

async function ropeScaling(header: GgufHeader, family: string): Promise<RopeScaling | undefined> {
  const factors = header.tensor('rope_freqs.weight');
  if (factors !== undefined) return { type: 'frequency-factors', factors: await header.readFloats(factors) };
  const type = header.string(`${family}.rope.scaling.type`) ?? 'none';
  const factor = header.factor(`${family}.rope.scaling.factor`) ?? 1;
  if (type === 'none' || (type === 'linear' && factor === 1)) return undefined;
  if (type === 'linear') return { type, factor };
  throw new UnsupportedModelError(
    header.path,
    `its rope scaling ${JSON.stringify(type)} is not known; known are linear and Llama 3's factors`,
  );
}
