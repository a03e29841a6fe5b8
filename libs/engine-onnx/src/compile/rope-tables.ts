import type { ModelConfig } from '#lib/models';
import { yarnFrequencies } from './yarn.js';

/** Cosines and sines of rotary embedding, float32 [positions, headDim / 2] each. */
export interface RopeTables {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/**
 * @param factor  what all of them are multiplied with, beside what their scaling asks for
 * @see Su et al. 2021, RoFormer, arXiv:2104.09864
 */
export function ropeTables(
  { rope, headDim }: Pick<ModelConfig, 'rope' | 'headDim'>,
  positions: number,
  factor = 1,
): RopeTables {
  const half = headDim / 2;
  const frequencies = inverseFrequencies(rope, headDim);
  const scale = rope.scaling?.type === 'yarn' ? factor * rope.scaling.attentionFactor : factor;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * (frequencies[i] as number);
      cos[position * half + i] = scale * Math.cos(angle);
      sin[position * half + i] = scale * Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** Angle per position of each pair of dimensions, [headDim / 2]. Single precision, as the references compute it. */
export function inverseFrequencies({ theta, scaling }: ModelConfig['rope'], headDim: number): number[] {
  const base = Array.from({ length: headDim / 2 }, (_, i) => Math.fround(1 / theta ** ((2 * i) / headDim)));
  switch (scaling?.type) {
    case undefined:
      return base;
    case 'linear':
      return base.map((frequency) => Math.fround(frequency / scaling.factor));
    case 'frequency-factors':
      return base.map((frequency, i) => Math.fround(frequency / (scaling.factors[i] ?? 1)));
    case 'yarn':
      return yarnFrequencies(scaling, theta, headDim);
    case 'llama3':
      return base.map((frequency) => Math.fround(llama3(frequency, scaling)));
    default:
      return scaling satisfies never;
  }
}

type Llama3Scaling = Extract<NonNullable<ModelConfig['rope']['scaling']>, { type: 'llama3' }>;

/** Long wavelengths are stretched, short ones kept, those between blended. @see Grattafiori et al. 2024, The Llama 3 Herd of Models, arXiv:2407.21783 */
function llama3(
  frequency: number,
  { factor, lowFreqFactor, highFreqFactor, originalContextTokens }: Llama3Scaling,
): number {
  const turns = (originalContextTokens * frequency) / (2 * Math.PI); // over the original context
  if (turns < lowFreqFactor) return frequency / factor;
  if (turns > highFreqFactor) return frequency;
  const share = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return (1 - share) * (frequency / factor) + share * frequency;
}
