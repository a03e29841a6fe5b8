import type { ModelConfig } from '#lib/models';

export type YarnScaling = Extract<NonNullable<ModelConfig['rope']['scaling']>, { type: 'yarn' }>;

/**
 * Angle per position of each pair of dimensions, [headDim / 2]: pairs that turn often over the original context are kept, those that hardly turn are stretched by
 * the factor, and between the two bounds it goes over in a straight line. Step by step in single precision, as the reference computes it.
 * @see Peng et al. 2023, YaRN: Efficient Context Window Extension of Large Language Models, arXiv:2309.00071
 */
export function yarnFrequencies(scaling: YarnScaling, theta: number, headDim: number): number[] {
  const { factor } = scaling;
  const [low, high] = bounds(scaling, theta, headDim);
  const width = Math.fround(high === low ? 0.001 : high - low);
  return Array.from({ length: headDim / 2 }, (_, pair) => {
    const wave = Math.fround(theta ** Math.fround((2 * pair) / headDim));
    const kept = Math.fround(1 / wave);
    const stretched = Math.fround(1 / Math.fround(factor * wave));
    const ramp = Math.fround(Math.fround(pair - Math.fround(low)) / width);
    const share = 1 - Math.min(Math.max(ramp, 0), 1);
    return Math.fround(Math.fround(stretched * (1 - share)) + Math.fround(kept * share));
  });
}

/** Pairs up to the first are kept, those from the second on stretched. */
function bounds(
  { betaFast, betaSlow, originalContextTokens, truncate }: YarnScaling,
  theta: number,
  headDim: number,
): [low: number, high: number] {
  const pairThatTurns = (times: number) =>
    (headDim * Math.log(originalContextTokens / (times * 2 * Math.PI))) / (2 * Math.log(theta));
  const [low, high] = [pairThatTurns(betaFast), pairThatTurns(betaSlow)];
  const [from, to] = truncate ? [Math.floor(low), Math.ceil(high)] : [low, high];
  return [Math.max(from, 0), Math.min(to, headDim - 1)];
}
