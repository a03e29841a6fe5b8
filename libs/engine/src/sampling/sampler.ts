import { decay } from './decay.js';

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

/** The logits hold no choice: NaN, +∞, or nothing above -∞. */
export class InvalidLogitsError extends Error {
  override readonly name = 'InvalidLogitsError';
}

const BINS_PER_NAT = 16;
const BINS = 1024;
const LAST_BIN = BINS - 1;

/**
 * Chooses a token from one row of logits. Pure but for its scratch memory.
 *
 * Candidates are ordered by (logit descending, id ascending). `min_p`, then `top_k`, then `top_p` each keep a leading run
 * of that order, so what is kept is a run too, and the token is where the cumulated weight crosses `u` times the run's.
 * Sorting the vocabulary for this would cost more than the model's step: one pass drops the candidates into bins of
 * descending logit with count and weight, and only the bins in which a run ends or the crossing falls are sorted.
 */
export class Sampler {
  private readonly counts = new Uint32Array(BINS);
  private readonly weights = new Float64Array(BINS);

  private logits: Float32Array = new Float32Array(0);
  private largest = 0;
  private inverseTemperature = 1;

  /**
   * @param logits  shape [vocabularySize]; unchanged
   * @param u       uniform in [0, 1); not used when greedy
   * @returns the token's id
   * @throws InvalidLogitsError
   */
  sample(logits: Float32Array, params: SamplerParams, u: number): number {
    const best = greedy(logits);
    if (params.temperature <= 0 || params.topK === 1) return best;
    this.logits = logits;
    this.largest = logits[best]!;
    this.inverseTemperature = 1 / params.temperature;
    this.fillBins();
    const run = this.keptRun(params);
    return this.candidateAt(u * run.weight, run.count);
  }

  private fillBins(): void {
    const { logits, counts, weights, largest, inverseTemperature } = this;
    counts.fill(0);
    weights.fill(0);
    for (let id = 0; id < logits.length; id++) {
      const distance = (largest - logits[id]!) * inverseTemperature;
      const bin = binOf(distance);
      counts[bin]!++;
      weights[bin]! += decay(distance);
    }
  }

  /** How many candidates are kept, and their weight (relative to the best one's). */
  private keptRun({ topP, topK, minP }: SamplerParams): { count: number; weight: number } {
    let count = this.logits.length;
    if (minP > 0) count = this.countNotBelow(minP);
    if (topK > 0) count = Math.min(count, topK);
    let weight = this.weightOf(count);
    if (topP < 1) {
      count = this.countUntilWeight(topP * weight, count);
      weight = this.weightOf(count);
    }
    return { count, weight };
  }

  /** Candidates whose weight is at least `least`; the best always is. */
  private countNotBelow(least: number): number {
    let count = 0;
    const border = binOf(-Math.log(least));
    for (let bin = 0; bin < BINS; bin++) {
      if (this.counts[bin] === 0) continue;
      if (bin < border) {
        count += this.counts[bin]!;
        continue;
      }
      const ids = this.sorted(bin);
      const kept = ids.findIndex((id) => this.weightOfCandidate(id) < least);
      if (kept >= 0) return Math.max(1, count + kept);
      count += ids.length;
    }
    return count;
  }

  /** Weight of the first `count` candidates. */
  private weightOf(count: number): number {
    let weight = 0;
    let left = count;
    for (let bin = 0; bin < BINS && left > 0; bin++) {
      const inBin = this.counts[bin]!;
      if (inBin <= left) {
        weight += this.weights[bin]!;
        left -= inBin;
        continue;
      }
      for (const id of this.sorted(bin).subarray(0, left)) weight += this.weightOfCandidate(id);
      left = 0;
    }
    return weight;
  }

  /** The fewest leading candidates, of the first `most`, whose weight reaches `weight`. */
  private countUntilWeight(weight: number, most: number): number {
    let count = 0;
    let sum = 0;
    for (let bin = 0; bin < BINS && count < most; bin++) {
      if (sum + this.weights[bin]! < weight) {
        sum += this.weights[bin]!;
        count += this.counts[bin]!;
        continue;
      }
      for (const id of this.sorted(bin)) {
        sum += this.weightOfCandidate(id);
        count++;
        if (sum >= weight) return Math.min(count, most);
      }
    }
    return Math.max(1, Math.min(count, most));
  }

  /** The candidate at which the cumulated weight passes `weight`, among the first `count`. */
  private candidateAt(weight: number, count: number): number {
    let sum = 0;
    let left = count;
    let last = -1;
    for (let bin = 0; bin < BINS && left > 0; bin++) {
      const inBin = this.counts[bin]!;
      if (inBin === 0) continue;
      if (inBin < left && sum + this.weights[bin]! <= weight) {
        sum += this.weights[bin]!;
        left -= inBin;
        continue;
      }
      for (const id of this.sorted(bin).subarray(0, left)) {
        const own = this.weightOfCandidate(id);
        if (own > 0) last = id;
        sum += own;
        if (sum > weight) return id;
      }
      left -= inBin;
    }
    return last; // rounding: the sums of a bin in two orders differ in their last digits
  }

  private weightOfCandidate(id: number): number {
    return decay((this.largest - this.logits[id]!) * this.inverseTemperature);
  }

  /** Ids of a bin in the candidates' order. */
  private sorted(bin: number): Uint32Array {
    const { logits, largest, inverseTemperature } = this;
    const ids = new Uint32Array(this.counts[bin]!);
    let count = 0;
    for (let id = 0; id < logits.length && count < ids.length; id++) {
      if (binOf((largest - logits[id]!) * inverseTemperature) === bin) ids[count++] = id;
    }
    return ids.sort((a, b) => logits[b]! - logits[a]! || a - b);
  }
}

/** @returns the id of the largest logit, the lowest of equal ones */
function greedy(logits: Float32Array): number {
  let best = 0;
  let largest = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (logit > largest) {
      largest = logit;
      best = id;
    } else if (Number.isNaN(logit)) throw new InvalidLogitsError(`the logit of token ${id} is not a number`);
  }
  if (!Number.isFinite(largest)) {
    throw new InvalidLogitsError(
      largest > 0 ? `the logit of token ${best} is infinite` : 'no token has a finite logit',
    );
  }
  return best;
}

/** Bin of a candidate by its distance from the best one, in nats after temperature; -∞ falls into the last. */
function binOf(distance: number): number {
  const bin = distance * BINS_PER_NAT;
  return bin < LAST_BIN ? bin | 0 : LAST_BIN;
}
