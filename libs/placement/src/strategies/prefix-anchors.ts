import type { PrefixHashes } from '#lib/kv';
import { marksOf } from '../prefix-marks.js';
import { shortHash } from '../short-hash.js';

/**
 * Children from which on a block counts as a template that many conversations begin with. Chosen: a document with a few
 * questions stays together, a system prompt does not.
 */
const TEMPLATE_CHILDREN = 8;

/** Blocks at a prompt's end that are all looked at. Chosen: a turn is seldom longer than 1,024 tokens, at 16 per block. */
const TAIL_BLOCKS = 64;

interface Block {
  /** Names the conversation the block belongs to. */
  readonly anchor: number;
  /** Different marks seen after this one. */
  childCount: number;
}

/**
 * Finds, for a chain of block hashes, the name of the conversation it continues: a *deep* prefix, not the first block, which
 * whole fleets share. Only some blocks are looked at and remembered, the *marks* (see `marksOf`). The deepest mark seen
 * before decides:
 * | deepest known mark | anchor |
 * |---|---|
 * | none | the hash of the request's last full block: a new conversation |
 * | fewer than 8 different marks followed it | its own: a further turn, or a further question on the same text |
 * | more | the hash of the mark after it: a new conversation behind a common template |
 * Later turns hold the earlier ones as a prefix, so they come back to the same anchor however long they grow.
 *
 * Memory is bounded: two generations of `capacityBlocks / 2` blocks; when the young one is full, it becomes the old one, and
 * what was in the old one and not touched since is forgotten. Hashes are cut to 53 bits here: a collision costs affinity,
 * never correctness.
 */
export class PrefixAnchors {
  private young = new Map<number, Block>();
  private old = new Map<number, Block>();

  constructor(private readonly capacityBlocks: number) {}

  get size(): number {
    return this.young.size + this.old.size;
  }

  /** @param hashes  at least one */
  anchorOf(hashes: PrefixHashes): number {
    const marks = marksOf(hashes.length, TAIL_BLOCKS).map((position) => shortHash(hashes, position));
    let depth = marks.length;
    let known: Block | undefined;
    while (depth > 0 && known === undefined) known = this.find(marks[--depth]!);
    const newMarks = known === undefined ? marks : marks.slice(depth + 1);
    const anchor = anchorFor(known, newMarks);
    if (known !== undefined && newMarks.length > 0) known.childCount++;
    for (const [index, mark] of newMarks.entries()) {
      this.remember(mark, { anchor, childCount: index + 1 < newMarks.length ? 1 : 0 });
    }
    return anchor;
  }

  private find(hash: number): Block | undefined {
    const young = this.young.get(hash);
    if (young !== undefined) return young;
    const old = this.old.get(hash);
    if (old !== undefined) this.remember(hash, old);
    return old;
  }

  private remember(hash: number, block: Block): void {
    this.old.delete(hash);
    this.young.set(hash, block);
    if (this.young.size < this.capacityBlocks / 2) return;
    this.old = this.young;
    this.young = new Map();
  }
}

/** @param newMarks  those after the deepest known one; at least one when none is known */
function anchorFor(known: Block | undefined, newMarks: readonly number[]): number {
  if (known === undefined) return newMarks.at(-1)!;
  const beginsAnew = newMarks.length > 0 && known.childCount >= TEMPLATE_CHILDREN;
  return beginsAnew ? newMarks[0]! : known.anchor;
}
