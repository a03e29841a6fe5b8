/** Uses from which on a block counts as used that often: who was used four times is as good as who was used forty times. */
const MOST_USES = 4;

/**
 * Keys in order of `last use + credit × (uses − 1)`, smallest first: each use but the first makes a key younger by `credit`. Uses
 * are remembered for a while after a key is gone, so that it goes on where it was. Every step costs the same for any number of keys.
 */
export class UseCreditOrder<Key> {
  /** When keys were last used, on the clock of uses, by number of uses; the one used the longest ago first. */
  private readonly levels = Array.from({ length: MOST_USES }, () => new Map<Key, number>());
  private readonly uses = new Map<Key, number>();
  /** Uses of keys that are gone, the longest ago first. */
  private readonly gone = new Map<Key, number>();
  /** Most keys that were here at once. */
  private mostKeys = 0;

  /** @param rememberedPerKey  keys that are gone and remembered, for each of the most that were here at once */
  constructor(private readonly rememberedPerKey: number) {}

  get size(): number {
    return this.uses.size;
  }

  has(key: Key): boolean {
    return this.uses.has(key);
  }

  /** One more use. */
  use(key: Key, now: number): void {
    const uses = Math.min(MOST_USES, (this.uses.get(key) ?? this.gone.get(key) ?? 0) + 1);
    this.gone.delete(key);
    this.put(key, uses, now);
  }

  /** As fresh as after a use, but no use of its own. */
  refresh(key: Key, now: number): void {
    const uses = this.uses.get(key);
    if (uses !== undefined) this.put(key, uses, now);
  }

  remove(key: Key): void {
    const uses = this.uses.get(key);
    if (uses === undefined) return;
    this.uses.delete(key);
    this.levels[uses - 1]!.delete(key);
    this.gone.delete(key);
    this.gone.set(key, uses);
    while (this.gone.size > this.rememberedPerKey * this.mostKeys) {
      this.gone.delete(this.gone.keys().next().value!);
    }
  }

  /** @param credit  on the clock of uses; between two steps of the iteration nothing but what came last may be removed */
  *inOrder(credit: number): Generator<Key> {
    const rest = this.levels.map((level) => level.entries());
    const heads = rest.map((level) => level.next());
    for (;;) {
      let first = -1;
      let least = Number.POSITIVE_INFINITY;
      for (const [level, head] of heads.entries()) {
        const rank = head.done ? Number.POSITIVE_INFINITY : head.value[1] + credit * level;
        if (rank < least) [first, least] = [level, rank];
      }
      const head = heads[first];
      if (head === undefined || head.done) return;
      yield head.value[0];
      heads[first] = rest[first]!.next();
    }
  }

  private put(key: Key, uses: number, now: number): void {
    const before = this.uses.get(key);
    if (before !== undefined) this.levels[before - 1]!.delete(key);
    this.uses.set(key, uses);
    this.levels[uses - 1]!.set(key, now);
    this.mostKeys = Math.max(this.mostKeys, this.uses.size);
  }
}
