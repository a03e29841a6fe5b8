/** What a sequence has left in its slot. */
interface RestingSlot {
  readonly slot: number;
  /** Only equal salts, and the same version of an adapter or none, find what stands in it. */
  readonly adapterVersion: string;
  readonly salt: Uint8Array;
  /** What stands in it, of which others may use the first `usableTokens`. */
  readonly tokenIds: readonly number[];
  readonly usableTokens: number;
  /** Memory behind it, in tokens. */
  readonly kvTokens: number;
}

/** A prompt that looks for a slot. */
interface RestingQuery {
  readonly adapterVersion: string;
  readonly salt: Uint8Array;
  readonly tokenIds: readonly number[];
  /** Leading tokens that need not be computed when they stand there already. */
  readonly mostTokens: number;
}

/**
 * Free slots in which what a sequence computed stands still, with the memory it had: whoever goes on from there, the next turn of
 * its chat or the same prompt once more, computes what is new and copies nothing; others find memory that the system has given
 * already. It is nobody's: whoever needs the memory has it at once.
 */
export class RestingSlots {
  /** Memory of all of them. */
  kvTokens = 0;
  /** The longest at rest first. */
  private readonly slots = new Map<number, RestingSlot>();

  add(resting: RestingSlot): void {
    this.slots.set(resting.slot, resting);
    this.kvTokens += resting.kvTokens;
  }

  /** The slot does not rest any more. @returns what stood in it, if it did */
  take(slot: number): RestingSlot | undefined {
    const resting = this.slots.get(slot);
    if (resting === undefined) return undefined;
    this.slots.delete(slot);
    this.kvTokens -= resting.kvTokens;
    return resting;
  }

  /** The slot at rest for the longest. */
  get oldest(): number | undefined {
    return this.slots.keys().next().value;
  }

  /** The one of some slots that a prompt uses the most of, if that is more than half of what stands there. */
  usefulFor(query: RestingQuery, slots: readonly number[]): number | undefined {
    let best: { readonly slot: number; readonly tokens: number } | undefined;
    for (const slot of slots) {
      const resting = this.slots.get(slot);
      if (resting === undefined) continue;
      const tokens = usableFor(resting, query);
      if (tokens > resting.usableTokens / 2 && tokens > (best?.tokens ?? 0)) best = { slot, tokens };
    }
    return best?.slot;
  }

  /** The one of some slots that is missed the least: the first that does not rest, or the one at rest for the longest. */
  leastMissed(slots: readonly number[]): number | undefined {
    return slots.find((slot) => !this.slots.has(slot)) ?? [...this.slots.keys()].find((slot) => slots.includes(slot));
  }

  snapshot(): readonly { readonly slot: number; readonly kvTokens: number }[] {
    return [...this.slots.values()].map(({ slot, kvTokens }) => ({ slot, kvTokens }));
  }
}

/** How many leading tokens of a prompt stand in a slot. */
export function usableFor(resting: RestingSlot, { adapterVersion, salt, tokenIds, mostTokens }: RestingQuery): number {
  if (resting.adapterVersion !== adapterVersion) return 0;
  if (Buffer.compare(resting.salt, salt) !== 0) return 0;
  const most = Math.min(resting.usableTokens, mostTokens);
  let tokens = 0;
  while (tokens < most && resting.tokenIds[tokens] === tokenIds[tokens]) tokens++;
  return tokens;
}
