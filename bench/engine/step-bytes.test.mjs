import { expect, it } from 'vitest';
import { bytesOfStep } from './step-bytes.mjs';

/** Two layers of one head of 4; a vocabulary of 64 and a hidden size of 32; 1,000 positions. */
const manifest = {
  weights: 'int8',
  weightsBytes: 100_000,
  vocabularySize: 64,
  headDim: 4,
  layers: 2,
  kvHeads: 1,
  contextTokens: 1_000,
};
const tied = { tiedEmbeddings: true, hiddenSize: 32 };

it('given tied embeddings, then all weights but the rotary tables are read, and keys and values of every position', () => {
  expect(bytesOfStep(manifest, tied, 10)).toBe(100_000 - 16_000 + 10 * 2 * 2 * 4 * 4);
});

it('given an embedding of its own, then it is not read, in the size of its form', () => {
  const untied = { ...tied, tiedEmbeddings: false };
  expect(bytesOfStep(manifest, tied, 0) - bytesOfStep(manifest, untied, 0)).toBe(64 * 32 * 1.125);
  const floats = { ...manifest, weights: 'fp32' };
  expect(bytesOfStep(floats, tied, 0) - bytesOfStep(floats, untied, 0)).toBe(64 * 32 * 4);
});
