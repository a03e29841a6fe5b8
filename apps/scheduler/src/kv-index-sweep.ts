/** Slots that are cleared between two turns of the event loop: a third of a millisecond. */
const SLOTS_PER_TURN = 32_768;

/** What `KvIndex` and `CacheFleet` have in common. */
interface Swept {
  readonly needsSweep: boolean;
  /** @returns whether there is more to clear */
  sweep(slots: number): boolean;
}

/** Clears what workers or caches that left held in the index, a part in each turn of the event loop, so that nobody waits for it. */
export class KvIndexSweep {
  private turn: NodeJS.Immediate | undefined;

  constructor(private readonly index: Swept) {}

  /** Begins, when there is something to clear and it has not begun. */
  wake(): void {
    if (this.turn !== undefined || !this.index.needsSweep) return;
    this.turn = setImmediate(() => {
      this.turn = undefined;
      this.index.sweep(SLOTS_PER_TURN);
      this.wake();
    });
    this.turn.unref();
  }
}
