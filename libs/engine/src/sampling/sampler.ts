import { Candidates } from './candidates.js';
import { type FarWeight, LogitRow } from './logit-row.js';
import { WEIGHTLESS_DISTANCE } from './weight.js';
import { WeightHistogram } from './weight-histogram.js';

/** What limits the choice of a token; see `SamplingParams` of the wire contract. */
export interface SamplerParams {
  /** 0 is greedy. */
  readonly temperature: number;
  /** 1 is off. */
  readonly topP: number;
  /** 0 is off. */
  readonly topK: number;
  /** 0 is off. */
  readonly minP: number;
}

/**
 * How far from the best candidate a number of them is looked for, in nats after temperature, before everything that weighs is looked at. Chosen: the
 * first holds 50 of a row as flat as normally distributed logits of deviation 1, of which 5 nats hold the half.
 */
const REACHES = [2.5, 5, 7.5, 10, 13] as const;
/**
 * How far from the best candidate the token of all of them is looked for, in nats after temperature, and how many may be there. Chosen by 768 rows
 * that SmolLM2-135M had while it wrote at temperature 1: 5 nats hold 81 % of the weight in 71 candidates (median), 7.5 nats 93 % in 488, 10 nats
 * 98 % in 2,380, 13 nats 99.8 % in 10,053. A row with more is flat.
 */
const NEAR = [
  { reach: 5, most: 1_024 },
  { reach: 7.5, most: 4_096 },
  { reach: 10, most: 8_192 },
  { reach: 13, most: 16_384 },
] as const;

/**
 * Chooses a token from one row of logits. Pure but for its scratch memory. The definition, docs/sampling.md: candidates in
 * order of (logit descending, id ascending), each with its weight; `min_p`, then `top_k`, then `top_p` each keep a leading
 * run; the token is the first at which the cumulated weight exceeds `u` times the run's.
 *
 * Sorting the vocabulary for this would cost more than the model's step, and so would weighing all of it exactly. All sums of the definition are
 * exact, so the same token is found from the candidates near the best one, where bounds of the weight of the others leave no doubt; and where they
 * do, or a row is so flat that it is not among them, from the weights of all, added up by distance.
 */
export class Sampler {
  private readonly row = new LogitRow();
  private readonly candidates = new Candidates();
  private readonly histogram = new WeightHistogram();

  /**
   * @param logits  shape [vocabularySize]; unchanged
   * @param u       uniform in [0, 1); not used when greedy
   * @returns the token's id
   * @throws InvalidLogitsError
   */
  sample(logits: Float32Array, params: SamplerParams, u: number): number {
    this.row.load(logits);
    const best = this.row.best();
    if (params.temperature <= 0 || params.topK === 1) return best;
    const inverseTemperature = Math.min(1 / params.temperature, Number.MAX_VALUE);
    const isLimited = params.topK > 0 || params.minP > 0;
    if (!isLimited) return this.sampleOfAll(logits, logits[best]!, inverseTemperature, params.topP, u);
    return this.sampleOfBest(logits, logits[best]!, inverseTemperature, params, u);
  }

  private sampleOfAll(logits: Float32Array, largest: number, inverseTemperature: number, topP: number, u: number) {
    for (const { reach, most } of NEAR) {
      const divided = this.row.divide(largest, inverseTemperature, reach, most);
      if (divided === undefined) break;
      this.candidates.gatherIds(logits, divided.nearIds, largest, inverseTemperature, reach);
      const token = this.tokenAmongNear(divided.far, topP, u);
      if (token !== undefined) return token;
    }
    return this.sampleByWeightOfAll(logits, largest, inverseTemperature, topP, u);
  }

  private tokenAmongNear(far: FarWeight, topP: number, u: number): number | undefined {
    const { candidates } = this;
    const leastTotal = candidates.weight + far.least;
    const mostTotal = candidates.weight + far.most;
    if (topP === 1) return this.lastBetween(Math.floor(u * leastTotal) + 1, Math.floor(u * mostTotal) + 1);
    if (candidates.weight < topP * leastTotal) {
      // The nucleus ends with one of the others, and weighs less than that one more than it must.
      const mostKept = topP * mostTotal + far.mostOfOne;
      return this.lastBetween(Math.floor(u * topP * leastTotal) + 1, Math.floor(u * mostKept) + 1);
    }
    const end = this.lastBetween(Math.max(1, topP * leastTotal), Math.max(1, topP * mostTotal));
    return end === undefined ? undefined : candidates.keepUntil(Math.floor(u * candidates.weight) + 1);
  }

  /** The last one kept for any weight between `least` and `most`, when it is the same for all: for both of them, since it never comes earlier for more. */
  private lastBetween(least: number, most: number): number | undefined {
    const { candidates } = this;
    if (candidates.weight < most) return undefined;
    const last = candidates.keepUntil(most);
    return candidates.weightBeforeLast < least ? last : undefined;
  }

  private sampleByWeightOfAll(
    logits: Float32Array,
    largest: number,
    inverseTemperature: number,
    topP: number,
    u: number,
  ) {
    const { histogram } = this;
    histogram.fill(logits, largest, inverseTemperature);
    if (topP === 1) return histogram.reach(Math.floor(u * histogram.total) + 1).id;
    const end = histogram.reach(Math.max(1, topP * histogram.total));
    return histogram.reach(Math.floor(u * end.weight) + 1).id;
  }

  private sampleOfBest(
    logits: Float32Array,
    largest: number,
    inverseTemperature: number,
    { topP, topK, minP }: SamplerParams,
    u: number,
  ): number {
    const { candidates } = this;
    const gather = (reach: number) => void candidates.gather(logits, largest, inverseTemperature, reach);
    const farthest = minP > 0 ? Math.min(-Math.log(minP), WEIGHTLESS_DISTANCE) : WEIGHTLESS_DISTANCE;
    if (topK > 0) {
      gatherUntil(gather, farthest, () => candidates.count >= topK);
      candidates.keepBest(topK);
    } else gather(farthest);
    if (topP < 1) candidates.keepUntil(topP * candidates.weight);
    return candidates.keepUntil(Math.floor(u * candidates.weight) + 1);
  }
}

function gatherUntil(gather: (reach: number) => void, farthest: number, isEnough: () => boolean): void {
  for (const reach of REACHES) {
    if (reach >= farthest) break;
    gather(reach);
    if (isEnough()) return;
  }
  gather(farthest);
}
