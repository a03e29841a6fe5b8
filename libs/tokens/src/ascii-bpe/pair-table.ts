/** Slots per entry, so that a look ends after one or two steps. */
const SLOTS_PER_ENTRY = 2;
/** Every key is below it: two ids of 21 bits. */
const ID_BOUND = 2 ** 21;
const EMPTY = -1;

/** Ranks of pairs of token ids, in flat arrays: 12 bytes a slot, where a Map of 280,000 merges of a large vocabulary has 20 MB. */
export class PairTable {
  private readonly keys: Float64Array;
  private readonly ranks: Int32Array;
  private readonly mask: number;

  /** @param capacity  most pairs that will be set */
  constructor(capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(2, capacity * SLOTS_PER_ENTRY)));
    this.keys = new Float64Array(slots).fill(EMPTY);
    this.ranks = new Int32Array(slots);
    this.mask = slots - 1;
  }

  /** @param left, right  0 to 2^21 - 1 */
  set(left: number, right: number, rank: number): void {
    if (left >= ID_BOUND || right >= ID_BOUND) throw new RangeError(`ids must be below ${ID_BOUND}`);
    const slot = this.slotOf(left, right);
    this.keys[slot] = left * ID_BOUND + right;
    this.ranks[slot] = rank;
  }

  /** @returns the pair's rank, -1 when it has none */
  get(left: number, right: number): number {
    const slot = this.slotOf(left, right);
    return this.keys[slot] === EMPTY ? -1 : this.ranks[slot]!; // one for each key
  }

  /** Where the pair is, or would be. */
  private slotOf(left: number, right: number): number {
    const key = left * ID_BOUND + right;
    const mixed = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    let slot = (mixed ^ (mixed >>> 15)) & this.mask;
    while (this.keys[slot] !== key && this.keys[slot] !== EMPTY) slot = (slot + 1) & this.mask;
    return slot;
  }
}
