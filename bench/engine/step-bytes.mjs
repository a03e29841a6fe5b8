/** A code, and its share of the scale of its 32. */
const QUANTIZED_ELEMENT_BYTES = 1 + 4 / 32;
const FLOAT_BYTES = 4;

/**
 * Bytes that a step of one row must read: all weights but the rotary tables and an embedding that is not the output layer too,
 * of which it takes one row; and the KV before it.
 * @param {import('#lib/engine-onnx').CompiledModelManifest} manifest
 * @param {{tiedEmbeddings: boolean, hiddenSize: number}} config
 * @param {number} contextTokens  positions before the row
 */
export function bytesOfStep(manifest, { tiedEmbeddings, hiddenSize }, contextTokens) {
  const { weights, weightsBytes, vocabularySize, headDim, layers, kvHeads } = manifest;
  const rotaryBytes = manifest.contextTokens * headDim * FLOAT_BYTES;
  const elementBytes = weights === 'fp32' ? FLOAT_BYTES : QUANTIZED_ELEMENT_BYTES;
  const embeddingBytes = tiedEmbeddings ? 0 : vocabularySize * hiddenSize * elementBytes;
  const kvBytes = contextTokens * 2 * layers * kvHeads * headDim * FLOAT_BYTES;
  return weightsBytes - rotaryBytes - embeddingBytes + kvBytes;
}
