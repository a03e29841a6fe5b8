import type { AdapterBindings, AdapterRange, AdapterRows } from './adapters/adapter-bindings.js';
import { type DecoderGraph, layerNames } from './runtime/decoder-graph.js';
import type { KvMemory } from './runtime/kv-memory.js';
import type { OrtBinding } from './runtime/ort-binding.js';
import type { OrtSession } from './runtime/ort-session.js';

/**
 * Ranges whose bindings are kept. Chosen: a batch that shrinks and grows by one end has as many ranges as slots, and
 * making a binding costs two tensors a layer, well under a millisecond.
 */
const KEPT_BINDINGS = 64;

const NO_ADAPTERS: AdapterRange = { first: 0, count: 0 };

/**
 * One binding for each contiguous range of slots in use, with their KV bound in place, and each range of adapters; the least recently used
 * goes.
 */
export class SlotBindings {
  private readonly bindings = new Map<string, OrtBinding>();
  private adapterGeneration = 0;

  constructor(
    readonly session: OrtSession,
    private readonly graph: DecoderGraph,
    private readonly kv: KvMemory,
    /** Of a graph that adapters add to. */
    private readonly adapters: AdapterBindings | undefined,
  ) {}

  /** Valid until the next call. @param rows  adapter of each row of the pass */
  forSlots(firstSlot: number, slotCount: number, rows: AdapterRows): OrtBinding {
    const { adapters } = this;
    if (adapters !== undefined && adapters.generation !== this.adapterGeneration) {
      this.forgetAll(); // their matrices lie elsewhere now
      this.adapterGeneration = adapters.generation;
    }
    const range = adapters?.rangeOf(rows) ?? NO_ADAPTERS;
    const key = `${firstSlot}+${slotCount} ${range.first}+${range.count}`;
    let binding = this.bindings.get(key);
    if (binding === undefined) {
      binding = this.create(firstSlot, slotCount);
      adapters?.bindMatrices(binding, range);
    }
    adapters?.bindRows(binding, rows, range);
    this.bindings.delete(key);
    this.bindings.set(key, binding);
    if (this.bindings.size > KEPT_BINDINGS) this.closeOldest();
    return binding;
  }

  private forgetAll(): void {
    for (const binding of this.bindings.values()) binding.close();
    this.bindings.clear();
  }

  private create(firstSlot: number, slotCount: number): OrtBinding {
    const binding = this.session.createBinding();
    for (let layer = 0; layer < this.graph.layers; layer++) {
      for (const side of ['key', 'value'] as const) {
        const { memory, shape } = this.kv.tensor(layer, side, firstSlot, slotCount);
        binding.bindInPlace(
          layerNames('past', layer)[side],
          layerNames('present', layer)[side],
          memory,
          'float32',
          shape,
        );
      }
    }
    return binding;
  }

  private closeOldest(): void {
    for (const [range, binding] of this.bindings) {
      binding.close();
      this.bindings.delete(range);
      return;
    }
  }
}
