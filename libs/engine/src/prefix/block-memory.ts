/**
 * A runner's room for KV blocks beside its slots: the port under the prefix store. A place holds the KV of `blockTokens`
 * positions over all layers. Places are numbered from 0 to `places` - 1; the store owns their assignment. Calls come between
 * two passes only, and copies are done when they return.
 */
export interface BlockMemory {
  readonly blockTokens: number;
  readonly places: number;
  /** What a place takes of the KV memory once it is written, in tokens; at least `blockTokens`. */
  readonly placeTokens: number;
  /** Copies blocks [firstBlock, firstBlock + places.length) of a slot, which holds them, to places. */
  save(slot: number, firstBlock: number, places: readonly number[]): void;
  /** Copies places to the first blocks of a slot, in order, over what stands there. */
  load(places: readonly number[], slot: number): void;
  /** What stands in these places is not needed any more: their memory serves others from now on. */
  release(places: readonly number[]): void;
  /** Absent where blocks stay where they are. */
  readonly exchange?: BlockExchange;
}

/** Takes blocks out of places and puts some in, as bytes. Its calls may also come within a pass, which does not touch places. */
export interface BlockExchange extends BlockForm {
  /** @returns a copy of what stands in a place, which the caller owns */
  read(place: number): Uint8Array<ArrayBuffer>;
  /** @param data  `blockBytes` of them */
  write(place: number, data: Uint8Array): void;
}

/** What the bytes of a block mean, as in `KvLayout`. */
export interface BlockForm {
  readonly blockBytes: number;
  readonly dtype: string;
  readonly axes: string;
}
