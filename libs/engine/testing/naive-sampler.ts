import type { SamplerParams } from '../src/sampling/sampler.js';
import { weightAt } from '../src/sampling/weight.js';

export interface NaiveChoice {
  readonly tokenId: number;
  /** The candidates that are kept, in order, and their weights. */
  readonly keptIds: readonly number[];
  readonly weights: readonly number[];
}

/** The definition of sampling, docs/sampling.md, as it reads: sort the whole vocabulary, keep leading runs, walk the last. */
export function naiveSample(logits: Float32Array, params: SamplerParams, u: number): NaiveChoice {
  const { temperature, topP, topK, minP } = params;
  let ids = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b);
  const largest = logits[ids[0]!]!;
  if (temperature === 0) return { tokenId: ids[0]!, keptIds: [ids[0]!], weights: [weightAt(0)] };
  const distance = (id: number) => (largest - logits[id]!) * (1 / temperature);
  const weight = (id: number) => weightAt(distance(id));
  const total = () => ids.reduce((sum, id) => sum + weight(id), 0);

  if (minP > 0) ids = ids.filter((id) => distance(id) <= -Math.log(minP));
  if (topK > 0) ids = ids.slice(0, topK);
  if (topP < 1) ids = ids.slice(0, firstReaching(ids.map(weight), topP * total()) + 1);
  const at = firstReaching(ids.map(weight), Math.floor(u * total()) + 1);
  return { tokenId: ids[at]!, keptIds: ids, weights: ids.map(weight) };
}

function firstReaching(weights: readonly number[], target: number): number {
  let sum = 0;
  return weights.findIndex((weight) => {
    sum += weight;
    return sum >= target;
  });
}
