import type { ModelConfig } from '#lib/models';
import { type EncoderInput, UnsupportedVariantError } from './architecture.js';

/** Its files name what it reads as one sentence of the first kind. */
const SENTENCE_TYPE = 0;

/** BERT and what has its shape (MiniLM among them): added positions, LayerNorm after each part, exact GELU, mean pooling. */
export async function buildBert({ config, tensors, blocks }: EncoderInput): Promise<void> {
  const epsilon = checkVariant(config);
  // A checkpoint of a model with a head on top has its encoder one level down.
  const root = tensors.has('bert.embeddings.word_embeddings.weight') ? 'bert.' : '';
  for (const [tensor, shape] of expectedShapes(config, root)) tensors.expect(tensor, shape);

  const embeddings = `${root}embeddings`;
  const positionRows = tensors.shape([`${embeddings}.position_embeddings.weight`]).rows;
  if (positionRows < config.contextTokens) {
    const reason = `it has ${positionRows} positions, fewer than the ${config.contextTokens} of its configuration`;
    throw new UnsupportedVariantError(config.architecture, reason);
  }

  const words = await blocks.embedding(`${embeddings}.word_embeddings.weight`, 'input_ids');
  const types = await blocks.row('types', `${embeddings}.token_type_embeddings.weight`, SENTENCE_TYPE);
  const positions = await blocks.positions('positions', `${embeddings}.position_embeddings.weight`, 'input_ids');
  const placed = blocks.add('placed', blocks.add('typed', words, types), positions);
  let hidden = await blocks.layerNorm('embedded_norm', placed, `${embeddings}.LayerNorm`, epsilon);

  for (let layer = 0; layer < config.layers; layer++) {
    const at = `layer_${layer}`;
    const from = `${root}encoder.layer.${layer}`;
    const query = await blocks.linear(`${at}.query`, hidden, `${from}.attention.self.query`);
    const key = await blocks.linear(`${at}.key`, hidden, `${from}.attention.self.key`);
    const value = await blocks.linear(`${at}.value`, hidden, `${from}.attention.self.value`);
    const attended = blocks.attention(`${at}.attention`, query, key, value, 'attention_mask', config.attentionHeads);
    const projected = await blocks.linear(`${at}.attention_out`, attended, `${from}.attention.output.dense`);
    const afterAttention = blocks.add(`${at}.attention_sum`, projected, hidden);
    const middle = await blocks.layerNorm(
      `${at}.attention_norm`,
      afterAttention,
      `${from}.attention.output.LayerNorm`,
      epsilon,
    );

    const up = await blocks.linear(`${at}.up`, middle, `${from}.intermediate.dense`);
    const down = await blocks.linear(`${at}.down`, blocks.gelu(`${at}.gelu`, up), `${from}.output.dense`);
    const afterMlp = blocks.add(`${at}.mlp_sum`, down, middle);
    hidden = await blocks.layerNorm(`${at}.end_norm`, afterMlp, `${from}.output.LayerNorm`, epsilon);
  }
  blocks.normalizedMean('vectors', hidden, 'attention_mask');
}

/** @returns epsilon of its LayerNorms */
function checkVariant({
  architecture,
  hiddenActivation,
  positionEmbedding,
  pooling,
  layerNormEps,
}: ModelConfig): number {
  const refuse = (reason: string) => new UnsupportedVariantError(architecture, reason);
  if (hiddenActivation !== 'gelu') throw refuse(`its activation is ${hiddenActivation}, and only gelu is known`);
  if (positionEmbedding !== 'absolute') {
    throw refuse(`its positions are ${positionEmbedding ?? 'of a kind not said'}, and only absolute ones are known`);
  }
  if (pooling !== 'mean') throw refuse('its vectors are not the mean over the tokens, which is the only pooling known');
  if (layerNormEps === undefined) throw refuse('the epsilon of its LayerNorm is not known');
  return layerNormEps;
}

/** Checked before anything is written: a graph of other shapes would fail only when it runs. */
function* expectedShapes(config: ModelConfig, root: string): Generator<[tensor: string, shape: number[]]> {
  const { layers, hiddenSize, intermediateSize, vocabularySize } = config;
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
  for (let layer = 0; layer < layers; layer++) {
    const from = `${root}encoder.layer.${layer}`;
    for (const part of ['query', 'key', 'value']) {
      yield* linear(`${from}.attention.self.${part}`, hiddenSize, hiddenSize);
    }
    yield* linear(`${from}.attention.output.dense`, hiddenSize, hiddenSize);
    yield* norm(`${from}.attention.output.LayerNorm`);
    yield* linear(`${from}.intermediate.dense`, intermediateSize, hiddenSize);
    yield* linear(`${from}.output.dense`, hiddenSize, intermediateSize);
    yield* norm(`${from}.output.LayerNorm`);
  }
}
