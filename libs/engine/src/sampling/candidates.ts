import { weightAt } from './weight.js';

/** Ranges this short are sorted rather than divided. */
const SHORT = 12;
/** More candidates than this are first counted by their distance: dividing many in an unforeseeable order is slow. */
const MANY = 256;
const BINS = 256;
/** Wider than rounding could move the border. */
const SLACK = 1 + 1e-6;

/**
 * The candidates near the best one, of which leading runs are kept. Their order is (logit descending, id ascending), but
 * they never stand in it as a whole: a run is found by dividing them as quicksort would and going on in the one part in
 * which the run ends.
 */
export class Candidates {
  /** How many are kept. */
  count = 0;
  /** Weight of those kept. */
  weight = 0;
  private logits: Float32Array = new Float32Array(0);
  private ids = new Uint32Array(0);
  private weights = new Float64Array(0);
  private largest = 0;
  private binsPerLogit = 0;
  private readonly binCounts = new Uint32Array(BINS);
  private readonly binWeights = new Float64Array(BINS);

  /** Takes all candidates of the row whose distance from the best is at most `reach`, in nats after temperature. */
  gather(logits: Float32Array, largest: number, inverseTemperature: number, reach: number): void {
    const size = logits.length;
    const least = largest - this.begin(logits, largest, reach / inverseTemperature);
    let id = 0;
    for (; id + 7 < size; id += 8) {
      if (
        logits[id]! < least &&
        logits[id + 1]! < least &&
        logits[id + 2]! < least &&
        logits[id + 3]! < least &&
        logits[id + 4]! < least &&
        logits[id + 5]! < least &&
        logits[id + 6]! < least &&
        logits[id + 7]! < least
      ) {
        continue; // nearly always: one predictable branch for eight
      }
      for (let near = id; near < id + 8; near++) this.take(near, (largest - logits[near]!) * inverseTemperature, reach);
    }
    for (; id < size; id++) this.take(id, (largest - logits[id]!) * inverseTemperature, reach);
  }

  /**
   * Takes these candidates, which are all down to some logit.
   * @param reach  how far from the best they are, about
   */
  gatherIds(logits: Float32Array, ids: Uint32Array, largest: number, inverseTemperature: number, reach: number): void {
    this.begin(logits, largest, reach / inverseTemperature);
    for (let at = 0; at < ids.length; at++) {
      const id = ids[at]!;
      this.take(id, (largest - logits[id]!) * inverseTemperature, Infinity);
    }
  }

  /** Keeps the `count` best. */
  keepBest(count: number): void {
    if (count < this.count) this.keep(count, Infinity);
  }

  /**
   * Keeps the fewest best ones whose weight reaches `weight`, at least one.
   * @returns the id of the last of them
   */
  keepUntil(weight: number): number {
    this.keep(this.count, Math.max(1, weight)); // weights are whole numbers: 1 asks for the best one alone
    return this.ids[this.count - 1]!;
  }

  /** Weight of those kept but the last: until how much weight fewer would have been kept. */
  get weightBeforeLast(): number {
    return this.weight - this.weights[this.count - 1]!;
  }

  /** @returns the range of logits below the largest that is looked at, a little wider than `reach` */
  private begin(logits: Float32Array, largest: number, reach: number): number {
    if (this.ids.length < logits.length) {
      this.ids = new Uint32Array(logits.length);
      this.weights = new Float64Array(logits.length);
    }
    const range = reach * SLACK;
    this.logits = logits;
    this.largest = largest;
    this.binsPerLogit = BINS / range;
    this.count = 0;
    this.weight = 0;
    return range;
  }

  private take(id: number, distance: number, reach: number): void {
    if (!(distance <= reach)) return;
    const weight = weightAt(distance);
    this.ids[this.count] = id;
    this.weights[this.count] = weight;
    this.count++;
    this.weight += weight;
  }

  /** The run ends with the first candidate at which it has `count` of them or weighs `weight`; that one is then the last. */
  private keep(count: number, weight: number): void {
    const { weights } = this;
    let from = 0;
    let to = this.count;
    let before = 0; // weight of [0, from), which are of the run
    if (to > MANY) ({ from, to, before } = this.bracket(count, weight));
    while (to - from > SHORT) {
      const pivot = this.divide(from, to);
      let upTo = before;
      for (let at = from; at < pivot; at++) upTo += weights[at]!;
      if (pivot >= count || upTo >= weight) {
        to = pivot;
        continue;
      }
      from = pivot + 1;
      before = upTo + weights[pivot]!;
      if (from >= count || before >= weight) to = from;
    }
    this.sort(from, to);
    while (from < to && from < count && before < weight) before += weights[from++]!;
    this.count = from;
    this.weight = before;
  }

  /** Moves the candidates of the bin in which the run ends to [from, to), those of nearer bins before it. */
  private bracket(count: number, weight: number): { from: number; to: number; before: number } {
    const { ids, weights, binCounts, binWeights } = this;
    binCounts.fill(0);
    binWeights.fill(0);
    for (let at = 0; at < this.count; at++) {
      const bin = this.binOf(ids[at]!);
      binCounts[bin]!++;
      binWeights[bin]! += weights[at]!;
    }
    let bin = 0;
    let from = 0;
    let before = 0;
    while (bin < BINS - 1 && from + binCounts[bin]! < count && before + binWeights[bin]! < weight) {
      from += binCounts[bin]!;
      before += binWeights[bin]!;
      bin++;
    }
    const to = this.moveForward(this.count, bin);
    this.moveForward(to, bin - 1);
    return { from, to, before };
  }

  /** Of the first `end` candidates, those of bins up to `bin` to the front. @returns how many they are */
  private moveForward(end: number, bin: number): number {
    let place = 0;
    for (let at = 0; at < end; at++) if (this.binOf(this.ids[at]!) <= bin) this.swap(at, place++);
    return place;
  }

  private binOf(id: number): number {
    return Math.min(((this.largest - this.logits[id]!) * this.binsPerLogit) | 0, BINS - 1);
  }

  /** Moves what comes before some candidate of [from, to) to its left and the rest to its right. @returns its place */
  private divide(from: number, to: number): number {
    const { ids } = this;
    const last = to - 1;
    const middle = (from + to) >> 1;
    if (this.isBefore(ids[middle]!, ids[from]!)) this.swap(middle, from);
    if (this.isBefore(ids[last]!, ids[from]!)) this.swap(last, from);
    if (this.isBefore(ids[middle]!, ids[last]!)) this.swap(middle, last); // the median of the three is last now
    const pivotId = ids[last]!;
    let place = from;
    for (let at = from; at < last; at++) if (this.isBefore(ids[at]!, pivotId)) this.swap(at, place++);
    this.swap(place, last);
    return place;
  }

  private sort(from: number, to: number): void {
    for (let end = from + 1; end < to; end++) {
      for (let at = end; at > from && this.isBefore(this.ids[at]!, this.ids[at - 1]!); at--) this.swap(at, at - 1);
    }
  }

  private isBefore(a: number, b: number): boolean {
    const logitA = this.logits[a]!;
    const logitB = this.logits[b]!;
    return logitA > logitB || (logitA === logitB && a < b);
  }

  private swap(a: number, b: number): void {
    const { ids, weights } = this;
    const id = ids[a]!;
    const weight = weights[a]!;
    ids[a] = ids[b]!;
    weights[a] = weights[b]!;
    ids[b] = id;
    weights[b] = weight;
  }
}
