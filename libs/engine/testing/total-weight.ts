import { weightAt } from '../src/sampling/weight.js';

/** Weight of the whole vocabulary: what the softmax divides by. */
export function totalWeight(logits: Float32Array, largest: number, inverseTemperature: number): number {
  let total = 0;
  for (let id = 0; id < logits.length; id++) total += weightAt((largest - logits[id]!) * inverseTemperature);
  return total;
}
