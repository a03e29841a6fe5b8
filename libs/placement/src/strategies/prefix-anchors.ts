/** Children from which on a block counts as a template that many conversations begin with. Chosen: a document with a few questions stays together, a system prompt does not. */
const TEMPLATE_CHILDREN = 8;

interface Block {
  /** Names the conversation the block belongs to. */
  readonly anchor: number;
  /** Different blocks seen after this one. */
  childCount: number;
}

/**
 * Finds, for a chain of block hashes, the name of the conversation it continues: a *deep* prefix, not the first block, which
 * whole fleets share. The deepest block seen before decides:
 * | deepest known block | anchor |
 * |---|---|
 * | none | the hash of the request's last full block: a new conversation |
 * | fewer than 8 different blocks followed it | its own: a further turn, or a further question on the same text |
 * | more | the hash of the block after it: a new conversation behind a common template |
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

  /** @param hashes  of the prompt's full blocks, at least one */
  anchorOf(hashes: readonly Uint8Array[]): number {
    let depth = hashes.length;
    let known: Block | undefined;
    while (depth > 0 && known === undefined) known = this.find(shortHash(hashes[--depth]!));
    const firstNew = known === undefined ? 0 : depth + 1;
    const anchor = anchorFor(hashes, known, firstNew);
    if (firstNew < hashes.length && known !== undefined) known.childCount++;
    for (let index = firstNew; index < hashes.length; index++) {
      this.remember(shortHash(hashes[index]!), { anchor, childCount: index + 1 < hashes.length ? 1 : 0 });
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

function anchorFor(hashes: readonly Uint8Array[], known: Block | undefined, firstNew: number): number {
  if (known === undefined) return shortHash(hashes[hashes.length - 1]!);
  if (firstNew === hashes.length || known.childCount < TEMPLATE_CHILDREN) return known.anchor;
  return shortHash(hashes[firstNew]!);
}

/** The first 53 bits as a number. */
function shortHash(hash: Uint8Array): number {
  const high = ((hash[0]! << 24) | (hash[1]! << 16) | (hash[2]! << 8) | hash[3]!) >>> 0;
  const low = ((hash[4]! << 16) | (hash[5]! << 8) | hash[6]!) >>> 3;
  return high * 2 ** 21 + low;
}
