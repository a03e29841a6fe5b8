import type { PromptEndMemory } from './prompt-end-memory.js';

/** What is held of a whole prompt beyond its full blocks. */
export interface PromptEnd {
  /** The whole prompt: a name alone is not trusted. */
  readonly tokenIds: Int32Array;
  /** Tokens in full blocks, which are held elsewhere, if they still are. */
  readonly blocksTokens: number;
  readonly place: number;
  /** What it takes of the memory. */
  readonly kvTokens: number;
}

/**
 * The ends of prompts: the positions that fill no block, and the logits that the first token is chosen from. With it and its blocks a
 * prompt that comes again needs no pass of the model. The least recently used goes first. An end may outlive blocks of its prompt; it is
 * of no use until they are computed again.
 */
export class PromptEnds {
  /** Memory of all of them. */
  heldTokens = 0;
  /** By name, the least recently used first. */
  private readonly ends = new Map<string, PromptEnd>();
  private readonly freePlaces: number[] = [];
  private usedPlaces = 0;

  constructor(
    private readonly memory: PromptEndMemory,
    private readonly blockTokens: number,
  ) {}

  /** It counts as used. */
  find(name: string, tokenIds: readonly number[]): PromptEnd | undefined {
    const end = this.ends.get(name);
    if (end === undefined || !isOf(end, tokenIds)) return undefined;
    this.ends.delete(name);
    this.ends.set(name, end);
    return end;
  }

  /** What the end of such a prompt takes. */
  takenTokens(promptTokens: number): number {
    return this.memory.takenTokens(promptTokens % this.blockTokens);
  }

  /** Keeps the end of a prompt that stands in a slot; whoever calls has seen to the room. */
  save(name: string, tokenIds: readonly number[], slot: number, logits: Float32Array): void {
    const to = tokenIds.length;
    const from = to - (to % this.blockTokens);
    if (this.ends.has(name)) return; // of other tokens: what is here stays
    if (this.freePlaces.length === 0 && this.usedPlaces === this.memory.places) this.removeOldest();
    const place = this.freePlaces.pop() ?? this.usedPlaces++;
    this.memory.save(place, { slot, from, to }, logits);
    const kvTokens = this.takenTokens(to);
    this.ends.set(name, { tokenIds: Int32Array.from(tokenIds), blocksTokens: from, place, kvTokens });
    this.heldTokens += kvTokens;
  }

  /** Copies an end behind the blocks of its prompt, which the slot holds. @returns the logits, unless it has gone meanwhile */
  load(name: string, end: PromptEnd, slot: number): Float32Array | undefined {
    if (this.ends.get(name) !== end) return undefined;
    return this.memory.load(end.place, { slot, from: end.blocksTokens, to: end.tokenIds.length });
  }

  /** Gives memory back until it takes at most `tokens`. */
  shrinkTo(tokens: number): void {
    while (this.heldTokens > Math.max(0, tokens)) this.removeOldest();
  }

  private removeOldest(): void {
    const [oldest] = this.ends;
    if (oldest === undefined) return;
    const [name, { place, kvTokens }] = oldest;
    this.ends.delete(name);
    this.memory.release(place);
    this.freePlaces.push(place);
    this.heldTokens -= kvTokens;
  }
}

function isOf(end: PromptEnd, tokenIds: readonly number[]): boolean {
  return end.tokenIds.length === tokenIds.length && end.tokenIds.every((tokenId, index) => tokenId === tokenIds[index]);
}
