/** An entry's place, emptied when the entry goes. */
interface Cell<Value> {
  value: Value | undefined;
}

/**
 * A map of what comes and goes with requests, in a process that lives long.
 *
 * V8's `Map` and `Set` make a new table every few entries that come and go. The table before it keeps what it held, and points to the new one: once
 * it is in the old generation, it keeps alive what nothing else refers to, and so does each table after it, until a full collection. So
 * young collections move finished requests, with all they reach, into the old generation. Here a table holds cells, and those are empty by then
 * (docs/decisions/2026-11-30-maps-of-what-passes.md).
 */
export class TransientMap<Key extends string | number, Value extends object> {
  private readonly cells = new Map<Key, Cell<Value>>();

  get size(): number {
    return this.cells.size;
  }

  has(key: Key): boolean {
    return this.cells.has(key);
  }

  get(key: Key): Value | undefined {
    return this.cells.get(key)?.value;
  }

  set(key: Key, value: Value): void {
    const cell = this.cells.get(key);
    if (cell === undefined) this.cells.set(key, { value });
    else cell.value = value;
  }

  /** @returns what was there */
  take(key: Key): Value | undefined {
    const cell = this.cells.get(key);
    if (cell === undefined) return undefined;
    this.cells.delete(key);
    const { value } = cell;
    cell.value = undefined;
    return value;
  }

  /** All that is there, in the order in which it came. */
  values(): Value[] {
    return Array.from(this.cells.values(), ({ value }) => value as Value); // cells in the table are never empty
  }

  /** @returns what was there, in the order in which it came */
  takeAll(): Value[] {
    const values = this.values();
    for (const cell of this.cells.values()) cell.value = undefined;
    this.cells.clear();
    return values;
  }
}
