import type { AdapterRoom } from './adapter-room.js';
import { type AdapterOutcome, type AdapterToLoad, adapterRefused, type EngineAdapter } from './engine-adapter.js';
import { Turns } from './turns.js';

/** As generations hold it: they keep the one with which they began. */
export interface LoadedAdapter extends EngineAdapter {
  readonly slot: number;
}

/**
 * Which adapters a model serves. They come and go one after the other, beside what runs: a generation goes on with the adapter that it began with,
 * which stays in its slot until nobody uses it, also when another version has its name by then.
 */
export class AdapterSet {
  private readonly byId = new Map<string, LoadedAdapter>();
  /** No new generation gets them. */
  private readonly leaving = new Set<LoadedAdapter>();
  private readonly freeSlots: number[];
  private readonly waiters = new Set<() => void>();
  private readonly turns = new Turns();

  /** @param room  one slot of it is kept for another version of an adapter that is in use */
  constructor(
    private readonly room: AdapterRoom,
    private readonly isInUse: (adapter: LoadedAdapter) => boolean,
    private readonly onChange: (adapters: readonly EngineAdapter[]) => void,
  ) {
    this.freeSlots = Array.from({ length: room.slots }, (_, slot) => slot);
  }

  find(adapterId: string): LoadedAdapter | undefined {
    return this.byId.get(adapterId);
  }

  list(): readonly EngineAdapter[] {
    return [...this.byId.values()].map(described);
  }

  /** Another version takes the place of the one of that name; the same one is left as it is. */
  load(adapter: AdapterToLoad, signal: AbortSignal): Promise<AdapterOutcome> {
    return this.turns.take(() => this.loadNow(adapter, signal));
  }

  /** New generations do not get it from now on. Resolves when nobody uses it, or when the signal aborts: then it goes later. */
  async unload(adapterId: string, signal: AbortSignal): Promise<AdapterOutcome> {
    const adapter = this.byId.get(adapterId);
    if (adapter === undefined) return adapterRefused('unknown', `No adapter "${adapterId}" is loaded.`);
    this.retire(adapter);
    this.changed();
    await this.settle();
    while (this.leaving.has(adapter) && !signal.aborted) await this.nextEnd(signal);
    return this.leaving.has(adapter)
      ? adapterRefused('in-use', `Generations use the adapter "${adapterId}" still; it goes when they have ended.`)
      : { kind: 'done', adapter: described(adapter) };
  }

  /** Generations have ended: adapters that nobody uses any more may go. */
  async settle(): Promise<void> {
    for (const adapter of [...this.leaving]) {
      if (this.isInUse(adapter)) continue;
      await this.turns.take(async () => {
        if (!this.leaving.has(adapter)) return;
        await this.room.unload(adapter.slot);
        this.leaving.delete(adapter);
        this.freeSlots.push(adapter.slot);
      });
    }
    for (const waiter of this.waiters) waiter();
  }

  private async loadNow({ adapterId, source }: AdapterToLoad, signal: AbortSignal): Promise<AdapterOutcome> {
    try {
      const opened = await this.room.open(source, signal);
      try {
        const before = this.byId.get(adapterId);
        if (before?.version === opened.version) return { kind: 'done', adapter: described(before) };
        if (before === undefined && this.byId.size >= this.room.slots - 1) {
          return adapterRefused('no-room', `${this.room.slots - 1} adapters are loaded; there is no room for another.`);
        }
        const slot = this.freeSlots.pop();
        if (slot === undefined) {
          return adapterRefused(
            'no-room',
            'Adapters that were unloaded or replaced are in use still; try again later.',
          );
        }
        await opened.load(slot, signal).catch((error: unknown) => {
          this.freeSlots.push(slot);
          throw error;
        });
        const adapter = { adapterId, source, version: opened.version, rank: opened.rank, bytes: opened.bytes, slot };
        if (before !== undefined) this.retire(before);
        this.byId.set(adapterId, adapter);
        this.changed();
        return { kind: 'done', adapter: described(adapter) };
      } finally {
        await opened.close();
      }
    } catch (error) {
      return adapterRefused('unusable', error instanceof Error ? error.message : String(error));
    } finally {
      void this.settle();
    }
  }

  private retire(adapter: LoadedAdapter): void {
    if (this.byId.get(adapter.adapterId) === adapter) this.byId.delete(adapter.adapterId);
    this.leaving.add(adapter);
  }

  private changed(): void {
    this.onChange(this.list());
  }

  private nextEnd(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        this.waiters.delete(end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      this.waiters.add(end);
      signal.addEventListener('abort', end);
    });
  }
}

function described({ slot: _, ...adapter }: LoadedAdapter): EngineAdapter {
  return adapter;
}
