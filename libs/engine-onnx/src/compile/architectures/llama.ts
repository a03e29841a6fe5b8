import type { ModelConfig } from '#lib/models';
import { type ArchitectureInput, UnsupportedVariantError } from './architecture.js';

const EMBEDDING = 'model.embed_tokens.weight';
const OUTPUT = 'lm_head.weight';

/** Llama 1 to 3 and what has their shape: RMSNorm, rotary attention with grouped heads, gated SiLU. */
export async function buildLlama({ config, graph, tensors, blocks, rope: tables }: ArchitectureInput): Promise<void> {
  checkVariant(config);
  const { layers, attentionHeads: heads, kvHeads, headDim, rmsNormEps } = config;
  // As transformers does: an output layer of its own counts, though the configuration ties it to the embedding.
  const isTied = config.tiedEmbeddings && !(await tensors.differ(EMBEDDING, OUTPUT));
  for (const [tensor, shape] of expectedShapes(config, isTied)) tensors.expect(tensor, shape);
  for (const [tensor, shape] of expectedBiases(config)) if (tensors.has(tensor)) tensors.expect(tensor, shape);

  const rope = tables();
  const attentionBias = { isBiased: config.attentionBias };
  const mlpBias = { isBiased: config.mlpBias };
  const vocabulary = await blocks.embedding(EMBEDDING, isTied ? undefined : OUTPUT);

  const tokens = graph.op('Reshape', ['input_ids', graph.int64s('one_axis', [-1])], 'tokens');
  let residual = vocabulary.embed(tokens);
  let normed = await blocks.rmsNorm(
    'layer_0.attention_norm',
    residual,
    'model.layers.0.input_layernorm.weight',
    rmsNormEps,
  );
  for (let layer = 0; layer < layers; layer++) {
    const at = `layer_${layer}`;
    const from = `model.layers.${layer}`;
    const projections = ['q_proj', 'k_proj', 'v_proj'].map((part) => `${from}.self_attn.${part}`);

    const qkv = await blocks.linear(`${at}.qkv`, normed, projections, attentionBias);
    const attended = blocks.attention(`${at}.attention`, qkv, layer, { heads, kvHeads, headDim, ...rope });
    const projected = await blocks.linearToHidden(
      `${at}.attention_out`,
      attended,
      `${from}.self_attn.o_proj`,
      attentionBias,
    );
    const middle = await blocks.addRmsNorm(
      `${at}.mlp_norm`,
      residual,
      projected,
      `${from}.post_attention_layernorm.weight`,
      rmsNormEps,
    );

    const gate = await blocks.linear(`${at}.gate`, middle.normed, [`${from}.mlp.gate_proj`], mlpBias);
    const up = await blocks.linear(`${at}.up`, middle.normed, [`${from}.mlp.up_proj`], mlpBias);
    const gated = blocks.gatedSilu(`${at}.gated`, gate, up);
    const down = await blocks.linearToHidden(`${at}.down`, gated, `${from}.mlp.down_proj`, mlpBias);
    const next = layer + 1 < layers ? `model.layers.${layer + 1}.input_layernorm.weight` : 'model.norm.weight';
    const after = await blocks.addRmsNorm(`${at}.end_norm`, middle.sum, down, next, rmsNormEps);
    residual = after.sum;
    normed = after.normed;
  }

  await vocabulary.logits(blocks.selectRows('last_rows', normed, 'last_index'));
}

/** What GroupQueryAttention takes; with other heads a model would load, and fail at its first token. */
const HEAD_DIM_MULTIPLE = 16;

function checkVariant(config: ModelConfig): void {
  const { hiddenActivation, slidingWindow, contextTokens, attentionHeads, kvHeads, headDim } = config;
  const refuse = (reason: string): never => {
    throw new UnsupportedVariantError(config.architecture, reason);
  };
  if (hiddenActivation !== 'silu') refuse(`its activation is ${hiddenActivation}, and only silu is known`);
  if (slidingWindow !== undefined && slidingWindow < contextTokens) {
    refuse('its attention looks back over a sliding window');
  }
  if (attentionHeads % kvHeads !== 0) {
    refuse(`its ${attentionHeads} attention heads do not divide into ${kvHeads} heads of keys and values`);
  }
  if (headDim % HEAD_DIM_MULTIPLE !== 0) {
    refuse(`its heads have ${headDim} elements; attention needs a multiple of ${HEAD_DIM_MULTIPLE}`);
  }
}

/** Checked before anything is written: a graph of other shapes would fail only when it runs. */
function* expectedShapes(config: ModelConfig, isTied: boolean): Generator<[tensor: string, shape: number[]]> {
  const { layers, hiddenSize, intermediateSize, vocabularySize, attentionHeads, kvHeads, headDim } = config;
  yield [EMBEDDING, [vocabularySize, hiddenSize]];
  yield ['model.norm.weight', [hiddenSize]];
  if (!isTied) yield [OUTPUT, [vocabularySize, hiddenSize]];
  for (let layer = 0; layer < layers; layer++) {
    const from = `model.layers.${layer}`;
    yield [`${from}.input_layernorm.weight`, [hiddenSize]];
    yield [`${from}.self_attn.q_proj.weight`, [attentionHeads * headDim, hiddenSize]];
    yield [`${from}.self_attn.k_proj.weight`, [kvHeads * headDim, hiddenSize]];
    yield [`${from}.self_attn.v_proj.weight`, [kvHeads * headDim, hiddenSize]];
    yield [`${from}.self_attn.o_proj.weight`, [hiddenSize, attentionHeads * headDim]];
    yield [`${from}.post_attention_layernorm.weight`, [hiddenSize]];
    yield [`${from}.mlp.gate_proj.weight`, [intermediateSize, hiddenSize]];
    yield [`${from}.mlp.up_proj.weight`, [intermediateSize, hiddenSize]];
    yield [`${from}.mlp.down_proj.weight`, [hiddenSize, intermediateSize]];
  }
}

/** Biases that the configuration has; one that the checkpoint lacks is zero. Others, which it may have, are not added. */
function* expectedBiases(config: ModelConfig): Generator<[tensor: string, shape: number[]]> {
  const { layers, hiddenSize, intermediateSize, attentionHeads, kvHeads, headDim, attentionBias, mlpBias } = config;
  for (let layer = 0; layer < layers; layer++) {
    const from = `model.layers.${layer}`;
    if (attentionBias) {
      yield [`${from}.self_attn.q_proj.bias`, [attentionHeads * headDim]];
      yield [`${from}.self_attn.k_proj.bias`, [kvHeads * headDim]];
      yield [`${from}.self_attn.v_proj.bias`, [kvHeads * headDim]];
      yield [`${from}.self_attn.o_proj.bias`, [hiddenSize]];
    }
    if (mlpBias) {
      yield [`${from}.mlp.gate_proj.bias`, [intermediateSize]];
      yield [`${from}.mlp.up_proj.bias`, [intermediateSize]];
      yield [`${from}.mlp.down_proj.bias`, [hiddenSize]];
    }
  }
}
