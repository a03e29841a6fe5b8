import { STEPS_PER_NAT, weightAt } from './weight.js';

/** Steps of a bin: so narrow that the bin in which a draw falls holds a few dozen of 49,152 normally distributed logits of deviation 1. */
const STEPS_PER_BIN_BITS = 2;
/** Beyond the last distance that weighs anything, of 35 times 1,024 steps. */
const LAST_STEP = 36 * 1024 - 1;
const BINS = (LAST_STEP >> STEPS_PER_BIN_BITS) + 1;
/** Wider than rounding could move the border of a bin. */
const SLACK = 1e-6;

/**
 * The weights of a whole vocabulary, added up by distance from the best candidate. Bins follow the order of candidates (logit descending, id
 * ascending), so the one at which a cumulated weight is reached stands in the bin at which it is reached, and only that bin's are put in order.
 */
export class WeightHistogram {
  /** Of all candidates. */
  total = 0;
  private logits: Float32Array = new Float32Array(0);
  private largest = 0;
  private inverseTemperature = 1;
  private readonly bins = new Float64Array(BINS);
  /** Those of one bin. */
  private ids = new Uint32Array(0);
  private readonly byOrder = (a: number, b: number) => this.logits[b]! - this.logits[a]! || a - b;

  /** @param largest  of the logits, of which each is a number */
  fill(logits: Float32Array, largest: number, inverseTemperature: number): void {
    this.logits = logits;
    this.largest = largest;
    this.inverseTemperature = inverseTemperature;
    const { bins } = this;
    bins.fill(0);
    let total = 0;
    for (let id = 0; id < logits.length; id++) {
      const distance = (largest - logits[id]!) * inverseTemperature;
      const weight = weightAt(distance);
      total += weight;
      bins[binAt(distance)]! += weight;
    }
    this.total = total;
  }

  /**
   * The first candidate at which the cumulated weight reaches `wanted`.
   * @param wanted  1 to `total`
   * @returns its id, and the weight up to it, with its own
   */
  reach(wanted: number): { readonly id: number; readonly weight: number } {
    const { bins, logits, largest, inverseTemperature } = this;
    let bin = 0;
    let weight = 0;
    while (bin < BINS - 1 && weight + bins[bin]! < wanted) weight += bins[bin++]!;
    const ids = this.idsOf(bin).sort(this.byOrder);
    for (const id of ids) {
      weight += weightAt((largest - logits[id]!) * inverseTemperature);
      if (weight >= wanted) return { id, weight };
    }
    throw new RangeError(`No candidate reaches the weight ${wanted} of ${this.total}.`);
  }

  private idsOf(bin: number): Uint32Array {
    const { logits, largest, inverseTemperature } = this;
    if (this.ids.length < logits.length) this.ids = new Uint32Array(logits.length);
    const width = (1 << STEPS_PER_BIN_BITS) / STEPS_PER_NAT / inverseTemperature;
    const middle = largest - (bin + 0.5) * width;
    const reach = (0.5 + SLACK) * width + SLACK * Math.abs(largest);
    let count = 0;
    for (let id = 0; id < logits.length; id++) {
      if (Math.abs(logits[id]! - middle) > reach) continue; // nearly always: one predictable branch
      if (binAt((largest - logits[id]!) * inverseTemperature) === bin) this.ids[count++] = id;
    }
    return this.ids.subarray(0, count);
  }
}

function binAt(distance: number): number {
  return Math.min(distance * STEPS_PER_NAT, LAST_STEP) >> STEPS_PER_BIN_BITS;
}
