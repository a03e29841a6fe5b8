import type { CompiledModelManifest, WeightsForm } from './compiled-model.js';

/** With scales and offsets. */
const BYTES_PER_WEIGHT: Readonly<Record<WeightsForm, number>> = { fp32: 4, int8: 1.16, int4: 0.75, w8a8: 1.05 };

/** How many weights a compiled model has, by its size: up to a sixth more in small models, whose embeddings weigh more. */
export function weightCountOf({
  weights,
  weightsBytes,
}: Pick<CompiledModelManifest, 'weights' | 'weightsBytes'>): number {
  return weightsBytes / BYTES_PER_WEIGHT[weights];
}
