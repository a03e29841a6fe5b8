import type { AdapterRoom, OpenedAdapter } from '#lib/engine';
import { AdapterError, PeftAdapter } from '#lib/models';
import type { AdapterSite } from '../compiled-model.js';
import { OrtError } from '../runtime/ort-error.js';
import type { AdapterMemory } from './adapter-memory.js';

export interface AdapterSlotsOptions {
  readonly memory: AdapterMemory;
  readonly sites: readonly AdapterSite[];
  readonly mostRank: number;
  /** Resolves when passes are run on the graph that adapters add to; called before the first is loaded. */
  readonly beginAdapting: () => Promise<void>;
  /** The last one has gone: resolves when passes are run on the graph alone again. */
  readonly endAdapting: () => Promise<void>;
}

/** PEFT adapters in the slots of the memory that passes take them from. Its caller loads and unloads one after the other. */
export class AdapterSlots implements AdapterRoom {
  private readonly loaded = new Set<number>();
  private readonly modules: ReadonlyMap<string, { readonly inputs: number; readonly outputs: number }>;

  constructor(private readonly options: AdapterSlotsOptions) {
    const modules = options.sites.flatMap(({ columns, weights }) =>
      weights.map(({ module, rows }) => [module, { inputs: columns, outputs: rows }] as const),
    );
    this.modules = new Map(modules);
  }

  get slots(): number {
    return this.options.memory.slots;
  }

  async open(source: string, signal: AbortSignal): Promise<OpenedAdapter> {
    const adapter = await PeftAdapter.open(source, this.modules, this.options.mostRank, signal);
    const { version, rank } = adapter;
    return {
      version,
      rank,
      bytes: this.options.memory.bytesOf(rank),
      load: (slot, loadSignal) =>
        this.load(slot, adapter, loadSignal).catch((cause: unknown) => {
          // ONNX Runtime speaks of its own files, if of any.
          if (!(cause instanceof OrtError)) throw cause;
          throw new AdapterError(`The adapter in ${source} cannot be loaded: ${cause.message}.`, { cause });
        }),
      close: () => adapter.close(),
    };
  }

  async unload(slot: number): Promise<void> {
    if (!this.loaded.delete(slot)) return;
    this.options.memory.clear(slot);
    if (this.loaded.size > 0) return;
    await this.options.endAdapting();
    this.options.memory.reset();
  }

  private async load(slot: number, adapter: PeftAdapter, signal: AbortSignal): Promise<void> {
    const { memory } = this.options;
    memory.makeRoom(adapter.rank);
    if (this.loaded.size === 0) await this.options.beginAdapting();
    this.loaded.add(slot);
    try {
      for (const module of adapter.modules) {
        signal.throwIfAborted();
        memory.write(slot, module, await adapter.read(module));
      }
    } catch (error) {
      await this.unload(slot);
      throw error;
    }
  }
}
