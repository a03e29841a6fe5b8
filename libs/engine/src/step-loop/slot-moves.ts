import type { Sequence } from './generation.js';

/** A sequence goes to a free slot, with what stands in its own. */
export interface PlannedMove {
  readonly sequence: Sequence;
  readonly to: number;
}

/**
 * Compaction: brings the rows to decode side by side, so that they are one contiguous range again. Of all ranges whose
 * slots are free or theirs, it takes the one with the fewest tokens to copy. A copy costs a few milliseconds once, a split
 * decode a quarter of every step (2 cores, 8 rows, November 2026).
 * @param freeSlots  ascending
 */
export function planMoves(decoding: readonly Sequence[], freeSlots: readonly number[]): PlannedMove[] {
  const rows = new Map(decoding.map((sequence) => [sequence.slot!, sequence]));
  const usable = [...freeSlots, ...rows.keys()].sort((a, b) => a - b);
  let best: { readonly first: number; readonly copiedTokens: number } | undefined;
  for (let at = 0; at + rows.size <= usable.length; at++) {
    const first = usable[at]!;
    if (usable[at + rows.size - 1] !== first + rows.size - 1) continue;
    const copiedTokens = outside(first).reduce((sum, { computedTokens }) => sum + computedTokens, 0);
    if (best === undefined || copiedTokens < best.copiedTokens) best = { first, copiedTokens };
  }
  if (best === undefined) return [];
  const { first } = best;
  const holes = freeSlots.filter((slot) => slot >= first && slot < first + rows.size);
  return outside(first).map((sequence, index) => ({ sequence, to: holes[index]! }));

  function outside(from: number): Sequence[] {
    return decoding.filter(({ slot }) => slot! < from || slot! >= from + rows.size);
  }
}

/** The slot of each sequence once the moves are made. */
export function slotsAfter(moves: readonly PlannedMove[]): (sequence: Sequence) => number {
  const moved = new Map(moves.map(({ sequence, to }) => [sequence, to]));
  return (sequence) => moved.get(sequence) ?? sequence.slot!;
}
