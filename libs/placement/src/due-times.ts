interface Due<Key> {
  readonly key: Key;
  readonly dueMs: number;
}

/** Keys by the time they are due: a binary heap. A key removed early stays until half of the heap is such. */
export class DueTimes<Key> {
  private heap: Due<Key>[] = [];
  private readonly live = new Map<Key, number>();

  get size(): number {
    return this.live.size;
  }

  set(key: Key, dueMs: number): void {
    this.live.set(key, dueMs);
    this.heap.push({ key, dueMs });
    this.siftUp(this.heap.length - 1);
  }

  delete(key: Key): void {
    this.live.delete(key);
    if (this.heap.length < 64 || this.heap.length < 2 * this.live.size) return;
    this.heap = [...this.live].map(([liveKey, dueMs]) => ({ key: liveKey, dueMs }));
    this.heap.sort((a, b) => a.dueMs - b.dueMs);
  }

  /** When the next key is due; undefined when there is none. */
  nextDueMs(): number | undefined {
    this.dropDead();
    return this.heap[0]?.dueMs;
  }

  /** Takes the next key that is due; undefined when none is. */
  takeDue(nowMs: number): Key | undefined {
    this.dropDead();
    const first = this.heap[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    this.live.delete(first.key);
    this.pop();
    return first.key;
  }

  private dropDead(): void {
    while (this.heap.length > 0 && this.live.get(this.heap[0]!.key) !== this.heap[0]!.dueMs) this.pop();
  }

  private pop(): void {
    const last = this.heap.pop();
    if (last === undefined || this.heap.length === 0) return;
    this.heap[0] = last;
    this.siftDown();
  }

  private siftUp(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.heap[parent]!.dueMs <= this.heap[index]!.dueMs) return;
      this.swap(index, parent);
      index = parent;
    }
  }

  private siftDown(): void {
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      let least = index;
      if (left < this.heap.length && this.heap[left]!.dueMs < this.heap[least]!.dueMs) least = left;
      if (right < this.heap.length && this.heap[right]!.dueMs < this.heap[least]!.dueMs) least = right;
      if (least === index) return;
      this.swap(index, least);
      index = least;
    }
  }

  private swap(a: number, b: number): void {
    const held = this.heap[a]!;
    this.heap[a] = this.heap[b]!;
    this.heap[b] = held;
  }
}
