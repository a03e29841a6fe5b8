import type { EncoderShape, ModelConfig } from '#lib/models';
import { type EncoderInput, UnsupportedVariantError } from './architecture.js';
import type { BertTensors } from './bert-tensors.js';
import { DISTANCE_BUCKETS, distanceBuckets } from './distance-buckets.js';

/** What reads as one sentence is of the first type. */
const SENTENCE_TYPE = 0;

/** BERT and its family (MiniLM among them): added positions, LayerNorm after each part, exact GELU, then pooling. */
export async function buildBert({ config, graph, tensors, blocks }: EncoderInput, names: BertTensors): Promise<void> {
  const { encoder, contextTokens } = checkVariant(config);
  const { layerNormEps: epsilon, positionPadTokenId, pooling, isNormalized } = encoder;
  const root = tensors.has(`${names.headPrefix}embeddings.word_embeddings.weight`) ? names.headPrefix : '';
  for (const [tensor, shape] of expectedShapes(config, names, root)) tensors.expect(tensor, shape);

  const embeddings = `${root}embeddings`;
  const positionTable = `${embeddings}.position_embeddings.weight`;
  const positionRows = tensors.shape([positionTable]).rows;
  const firstPosition = positionPadTokenId === undefined ? 0 : positionPadTokenId + 1;
  if (positionRows < firstPosition + contextTokens) {
    const reason = `it has ${positionRows} positions, fewer than the ${firstPosition + contextTokens} of its configuration`;
    throw new UnsupportedVariantError(config.architecture, reason);
  }

  const words = await blocks.embedding(`${embeddings}.word_embeddings.weight`, 'input_ids');
  const typed = names.hasTokenTypes
    ? blocks.add('typed', words, await blocks.row('types', `${embeddings}.token_type_embeddings.weight`, SENTENCE_TYPE))
    : words;
  const positions =
    positionPadTokenId === undefined
      ? await blocks.positions('positions', positionTable, 'input_ids')
      : await blocks.positionsOf('positions', positionTable, 'input_ids', positionPadTokenId);
  const placed = blocks.add('placed', typed, positions);
  let hidden = await blocks.layerNorm('embedded_norm', placed, `${embeddings}.LayerNorm`, epsilon);

  let bias: string | undefined;
  if (names.distanceBias !== undefined) {
    const buckets = graph.int64s('distance_buckets', distanceBuckets(contextTokens));
    bias = await blocks.distanceBias('distance_bias', `${root}${names.distanceBias}`, buckets, 'input_ids');
  }
  for (let layer = 0; layer < config.layers; layer++) {
    const at = `layer_${layer}`;
    const of = names.layer(layer);
    const query = await blocks.linear(`${at}.query`, hidden, root + of.query);
    const key = await blocks.linear(`${at}.key`, hidden, root + of.key);
    const value = await blocks.linear(`${at}.value`, hidden, root + of.value);
    const options = { mask: 'attention_mask', heads: config.attentionHeads, bias };
    const attended = blocks.attention(`${at}.attention`, query, key, value, options);
    const projected = await blocks.linear(`${at}.attention_out`, attended, root + of.attentionOut);
    const afterAttention = blocks.add(`${at}.attention_sum`, projected, hidden);
    const middle = await blocks.layerNorm(`${at}.attention_norm`, afterAttention, root + of.attentionNorm, epsilon);

    const up = await blocks.linear(`${at}.up`, middle, root + of.up);
    const down = await blocks.linear(`${at}.down`, blocks.gelu(`${at}.gelu`, up), root + of.down);
    const afterMlp = blocks.add(`${at}.mlp_sum`, down, middle);
    hidden = await blocks.layerNorm(`${at}.end_norm`, afterMlp, root + of.endNorm, epsilon);
  }
  const pooled = blocks.pooled(isNormalized ? 'pooled' : 'vectors', hidden, 'attention_mask', pooling);
  if (isNormalized) blocks.normalized('vectors', pooled);
}

function checkVariant(config: ModelConfig): ModelConfig & { readonly encoder: EncoderShape } {
  const { architecture, hiddenActivation, encoder } = config;
  const refuse = (reason: string) => new UnsupportedVariantError(architecture, reason);
  if (encoder === undefined) throw refuse('what an encoder needs is not known of it');
  if (hiddenActivation !== 'gelu') throw refuse(`its activation is ${hiddenActivation}, and only gelu is known`);
  if (encoder.positionEmbedding !== 'absolute') {
    throw refuse(`its positions are ${encoder.positionEmbedding}, and only absolute ones are known`);
  }
  return { ...config, encoder };
}

/** Checked before anything is written: a graph of other shapes would fail only when it runs. */
function* expectedShapes(
  { layers, hiddenSize, intermediateSize, vocabularySize, attentionHeads }: ModelConfig,
  names: BertTensors,
  root: string,
): Generator<[tensor: string, shape: number[]]> {
  const linear = function* (name: string, rows: number, columns: number): Generator<[string, number[]]> {
    yield [`${name}.weight`, [rows, columns]];
    yield [`${name}.bias`, [rows]];
  };
  const norm = function* (name: string): Generator<[string, number[]]> {
    yield [`${name}.weight`, [hiddenSize]];
    yield [`${name}.bias`, [hiddenSize]];
  };
  yield [`${root}embeddings.word_embeddings.weight`, [vocabularySize, hiddenSize]];
  yield* norm(`${root}embeddings.LayerNorm`);
  if (names.distanceBias !== undefined) yield [root + names.distanceBias, [DISTANCE_BUCKETS, attentionHeads]];
  for (let layer = 0; layer < layers; layer++) {
    const of = names.layer(layer);
    for (const part of [of.query, of.key, of.value, of.attentionOut]) {
      yield* linear(root + part, hiddenSize, hiddenSize);
    }
    yield* norm(root + of.attentionNorm);
    yield* linear(root + of.up, intermediateSize, hiddenSize);
    yield* linear(root + of.down, hiddenSize, intermediateSize);
    yield* norm(root + of.endNorm);
  }
}
