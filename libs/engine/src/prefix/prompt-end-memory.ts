/**
 * A runner's room for the ends of prompts, beside its blocks: the port under `PromptEnds`. A place holds the KV of the positions behind
 * the last full block of a prompt, fewer than a block has, and the logits of the prompt's last token. Places are numbered from 0 to
 * `places` - 1; the store owns their assignment. Calls come between two passes only, and copies are done when they return.
 */
export interface PromptEndMemory {
  readonly places: number;
  /** What a place takes of the KV memory once so many positions are written to it, in tokens. */
  takenTokens(positions: number): number;
  /** Copies positions of a slot, which holds them, to a place, and logits, shape [vocabularySize]. */
  save(place: number, positions: SlotPositions, logits: Float32Array): void;
  /** Copies as many positions back, behind what the slot holds. @returns the logits, which the caller owns */
  load(place: number, positions: SlotPositions): Float32Array;
  /** What stands in the place is not needed any more: its memory serves others from now on. */
  release(place: number): void;
}

/** Positions [from, to) of a slot; there may be none. */
export interface SlotPositions {
  readonly slot: number;
  readonly from: number;
  readonly to: number;
}
