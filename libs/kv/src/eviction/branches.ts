/** Behind a block came more than one other. */
const SEVERAL = Symbol('several');

/** Which blocks that are held had different ones behind them, as far as was told. */
export class Branches<Key> {
  private readonly behind = new Map<Key, Key | typeof SEVERAL>();

  /** In some prompt one block comes right behind the other. */
  follows(parent: Key, child: Key): void {
    const known = this.behind.get(parent);
    if (known === undefined) this.behind.set(parent, child);
    else if (known !== child) this.behind.set(parent, SEVERAL);
  }

  hasSeveral(key: Key): boolean {
    return this.behind.get(key) === SEVERAL;
  }

  /** It is gone. */
  forget(key: Key): void {
    this.behind.delete(key);
  }
}
