/** Uses from which on a block counts as used that often: who was used four times is as good as who was used forty times. */
const MOST_USES = 4;

/** Level of what was used once and is the end of a prompt; others have their number of uses. */
export const END_LEVEL = 0;

/** Level of what was used once, by a prompt of a kind that is seldom continued. */
export const SELDOM_LEVEL = MOST_USES + 1;

/**
 * Keys in order of `last use + credit × (uses − 1)`, smallest first: each use but the first makes a key younger by `credit`. Uses
 * are remembered for a while after a key is gone, so that it goes on where it was. Ends of prompts (`END_LEVEL`) and what is seldom continued (`SELDOM_LEVEL`) have orders of their own. Every step costs the same for any number of keys.
 */
export class UseCreditOrder<Key> {
  /** When keys were last used, on the clock of uses, by level; the one used the longest ago first. */
  private readonly levels = Array.from({ length: SELDOM_LEVEL + 1 }, () => new Map<Key, number>());
  /** The first key of each level; undefined where it has to be looked for. */
  private readonly heads: (Key | undefined)[] = [];
  private readonly levelOfKey = new Map<Key, number>();
  /** Levels of keys that are gone, the longest ago first. */
  private readonly gone = new Map<Key, number>();
  /** Most keys that were here at once. */
  private mostKeys = 0;

  /** @param rememberedPerKey  keys that are gone and remembered, for each of the most that were here at once */
  constructor(private readonly rememberedPerKey: number) {}

  get size(): number {
    return this.levelOfKey.size;
  }

  has(key: Key): boolean {
    return this.levelOfKey.has(key);
  }

  /** Its uses, or `END_LEVEL` or `SELDOM_LEVEL`; of a key that is gone what is remembered, undefined when nothing is. */
  levelOf(key: Key): number | undefined {
    return this.levelOfKey.get(key) ?? this.gone.get(key);
  }

  /** Of a key that is gone what is remembered. */
  usesOf(key: Key): number {
    const level = this.levelOf(key);
    return level === undefined ? 0 : level === END_LEVEL || level === SELDOM_LEVEL ? 1 : level;
  }

  /**
   * One more use.
   * @param earlierUses  that there were at least, as is known from elsewhere
   */
  use(key: Key, now: number, earlierUses = 0): void {
    const uses = Math.max(this.usesOf(key), earlierUses);
    this.gone.delete(key);
    this.put(key, Math.min(MOST_USES, uses + 1), now);
  }

  /** It was used so often, as is known of what comes behind it, or from elsewhere. */
  setUses(key: Key, uses: number, now: number): void {
    this.put(key, Math.min(MOST_USES, uses), now);
  }

  /** It was used once, and belongs to this level: that of ends, that of what is seldom continued, or 1. */
  setUsedOnce(key: Key, level: number, now: number): void {
    this.put(key, level, now);
  }

  /** As fresh as after a use, but no use of its own. */
  refresh(key: Key, now: number): void {
    const level = this.levelOfKey.get(key);
    if (level !== undefined) this.put(key, level, now);
  }

  remove(key: Key): void {
    const level = this.levelOfKey.get(key);
    if (level === undefined) return;
    this.levelOfKey.delete(key);
    this.take(key, level);
    this.gone.delete(key);
    this.gone.set(key, level);
    while (this.gone.size > this.rememberedPerKey * this.mostKeys) {
      this.gone.delete(this.gone.keys().next().value!);
    }
  }

  /**
   * The key that comes first in order.
   * @param credit       on the clock of uses
   * @param endsOlder    by how much ends of prompts count as older than others that were used once, on the same clock
   * @param seldomOlder  and what is seldom continued
   */
  first(credit: number, endsOlder = 0, seldomOlder = 0): Key | undefined {
    let first: Key | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const [level, keys] of this.levels.entries()) {
      if (keys.size === 0) continue;
      const head = this.heads[level] ?? keys.keys().next().value!; // it is not empty
      this.heads[level] = head;
      const rank = keys.get(head)! + bonusOf(level, credit, endsOlder, seldomOlder);
      if (rank < least) [first, least] = [head, rank];
    }
    return first;
  }

  /** All keys. Between two steps of the iteration nothing but what came last may be removed. Parameters as of `first`. */
  *inOrder(credit: number, endsOlder = 0, seldomOlder = 0): Generator<Key> {
    const veryFirst = this.first(credit, endsOlder, seldomOlder);
    if (veryFirst === undefined) return;
    yield veryFirst; // most want no more
    const rest = this.levels.map((level) => level.entries());
    const heads = rest.map((level) => level.next());
    for (;;) {
      let first = -1;
      let least = Number.POSITIVE_INFINITY;
      for (const [level, head] of heads.entries()) {
        const bonus = bonusOf(level, credit, endsOlder, seldomOlder);
        const rank = head.done ? Number.POSITIVE_INFINITY : head.value[1] + bonus;
        if (rank < least) [first, least] = [level, rank];
      }
      const head = heads[first];
      if (head === undefined || head.done) return;
      if (head.value[0] !== veryFirst) yield head.value[0];
      heads[first] = rest[first]!.next();
    }
  }

  private take(key: Key, level: number): void {
    this.levels[level]!.delete(key);
    if (this.heads[level] === key) this.heads[level] = undefined;
  }

  private put(key: Key, level: number, now: number): void {
    const before = this.levelOfKey.get(key);
    if (before !== undefined) this.take(key, before);
    this.levelOfKey.set(key, level);
    this.levels[level]!.set(key, now);
    this.mostKeys = Math.max(this.mostKeys, this.levelOfKey.size);
  }
}

/** By how much a level is younger than that of what was used once. */
function bonusOf(level: number, credit: number, endsOlder: number, seldomOlder: number): number {
  if (level === END_LEVEL) return -endsOlder;
  return level === SELDOM_LEVEL ? -seldomOlder : credit * (level - 1);
}
