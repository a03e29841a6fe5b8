import { Candidates } from './candidates.js';
import { largestLogit } from './largest-logit.js';
import { totalWeight, WEIGHTLESS_DISTANCE } from './weight.js';

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
 * How far from the best candidate a run is looked for, in nats after temperature, before everything that weighs is looked
 * at. Chosen: the first holds a few dozen candidates, and the run of `top_p` 0.9 of most rows of a language model.
 */
const REACHES = [5, 7.5, 10, 13] as const;
/**
 * Where a number of candidates is wanted: the first holds 50 of a row as flat as normally distributed logits of deviation 1,
 * of which 5 nats hold the half.
 */
const REACHES_OF_BEST = [2.5, ...REACHES] as const;

/**
 * Chooses a token from one row of logits. Pure but for its scratch memory. The definition, docs/sampling.md: candidates in
 * order of (logit descending, id ascending), each with its weight; `min_p`, then `top_k`, then `top_p` each keep a leading
 * run; the token is the first at which the cumulated weight exceeds `u` times the run's.
 *
 * Sorting the vocabulary for this would cost more than the model's step. All sums are exact, so the same token is found
 * from the candidates near the best one, and from more of them only where the run or the draw goes beyond those.
 */
export class Sampler {
  private readonly candidates = new Candidates();

  /**
   * @param logits  shape [vocabularySize]; unchanged
   * @param u       uniform in [0, 1); not used when greedy
   * @returns the token's id
   * @throws InvalidLogitsError
   */
  sample(logits: Float32Array, params: SamplerParams, u: number): number {
    const best = largestLogit(logits);
    if (params.temperature <= 0 || params.topK === 1) return best;
    const { candidates } = this;
    const total = this.keepRun(logits, logits[best]!, params, u);
    return candidates.keepUntil(Math.floor(u * total) + 1);
  }

  /** Leaves the run in `candidates`, or as much of it as the draw needs. @returns the run's weight */
  private keepRun(logits: Float32Array, largest: number, { temperature, topP, topK, minP }: SamplerParams, u: number) {
    const { candidates } = this;
    const inverseTemperature = Math.min(1 / temperature, Number.MAX_VALUE);
    const gather = (reach: number) => candidates.gather(logits, largest, inverseTemperature, reach);
    const farthest = minP > 0 ? Math.min(-Math.log(minP), WEIGHTLESS_DISTANCE) : WEIGHTLESS_DISTANCE;

    if (topK > 0) gatherUntil(gather, REACHES_OF_BEST, farthest, () => candidates.count >= topK);
    else if (minP > 0) gather(farthest);
    else {
      const total = totalWeight(logits, largest, inverseTemperature);
      const isNucleus = topP < 1;
      const needed = isNucleus ? topP * total : Math.floor(u * total) + 1;
      gatherUntil(gather, REACHES, farthest, () => candidates.weight >= needed);
      if (!isNucleus) return total;
      candidates.keepUntil(needed);
      return candidates.weight;
    }
    if (topK > 0) candidates.keepBest(topK);
    if (topP < 1) candidates.keepUntil(topP * candidates.weight);
    return candidates.weight;
  }
}

function gatherUntil(
  gather: (reach: number) => void,
  reaches: readonly number[],
  farthest: number,
  isEnough: () => boolean,
): void {
  for (const reach of reaches) {
    if (reach >= farthest) break;
    gather(reach);
    if (isEnough()) return;
  }
  gather(farthest);
}
