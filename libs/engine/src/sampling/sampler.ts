import { Candidates } from './candidates.js';
import { largestLogit } from './largest-logit.js';
import { totalWeight, WEIGHTLESS_DISTANCE } from './weight.js';
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
 * How far from the best candidate the token of all of them is looked for first, and how many may be there. Chosen: SmolLM2's rows within text have
 * 90 % of their weight within 5 nats and 99 % within 10, and 5 to 500 candidates within 7.5; a row with more is flat.
 */
const NEAR = 7.5;
const MOST_NEAR = 1_024;

/**
 * Chooses a token from one row of logits. Pure but for its scratch memory. The definition, docs/sampling.md: candidates in
 * order of (logit descending, id ascending), each with its weight; `min_p`, then `top_k`, then `top_p` each keep a leading
 * run; the token is the first at which the cumulated weight exceeds `u` times the run's.
 *
 * Sorting the vocabulary for this would cost more than the model's step. All sums are exact, so the same token is found from the candidates near
 * the best one, and, where a row is so flat that it is not among them, from the weights of all, added up by distance.
 */
export class Sampler {
  private readonly candidates = new Candidates();
  private readonly histogram = new WeightHistogram();

  /**
   * @param logits  shape [vocabularySize]; unchanged
   * @param u       uniform in [0, 1); not used when greedy
   * @returns the token's id
   * @throws InvalidLogitsError
   */
  sample(logits: Float32Array, params: SamplerParams, u: number): number {
    const best = largestLogit(logits);
    if (params.temperature <= 0 || params.topK === 1) return best;
    const inverseTemperature = Math.min(1 / params.temperature, Number.MAX_VALUE);
    const isLimited = params.topK > 0 || params.minP > 0;
    if (!isLimited) return this.sampleOfAll(logits, logits[best]!, inverseTemperature, params.topP, u);
    return this.sampleOfBest(logits, logits[best]!, inverseTemperature, params, u);
  }

  private sampleOfAll(logits: Float32Array, largest: number, inverseTemperature: number, topP: number, u: number) {
    const { candidates, histogram } = this;
    const isPeaked = candidates.gather(logits, largest, inverseTemperature, NEAR, MOST_NEAR);
    if (!isPeaked) histogram.fill(logits, largest, inverseTemperature);
    const total = isPeaked ? totalWeight(logits, largest, inverseTemperature) : histogram.total;
    const isNucleus = topP < 1;
    const needed = isNucleus ? Math.max(1, topP * total) : Math.floor(u * total) + 1;
    if (isPeaked && candidates.weight >= needed) {
      const last = candidates.keepUntil(needed);
      return isNucleus ? candidates.keepUntil(Math.floor(u * candidates.weight) + 1) : last;
    }
    if (isPeaked) histogram.fill(logits, largest, inverseTemperature);
    const end = histogram.reach(needed);
    return isNucleus ? histogram.reach(Math.floor(u * end.weight) + 1).id : end.id;
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
