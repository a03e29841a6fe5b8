import { type DecoderGraph, layerNames } from './runtime/decoder-graph.js';
import type { KvMemory } from './runtime/kv-memory.js';
import type { OrtBinding } from './runtime/ort-binding.js';
import type { OrtSession } from './runtime/ort-session.js';

/**
 * Ranges whose bindings are kept. Chosen: a batch that shrinks and grows by one end has as many ranges as slots, and
 * making a binding costs two tensors a layer, well under a millisecond.
 */
const KEPT_BINDINGS = 64;

/** One binding for each contiguous range of slots in use, with their KV bound in place; the least recently used goes. */
export class SlotBindings {
  private readonly bindings = new Map<string, OrtBinding>();

  constructor(
    readonly session: OrtSession,
    private readonly graph: DecoderGraph,
    private readonly kv: KvMemory,
  ) {}

  /** Valid until the next call. */
  forSlots(firstSlot: number, slotCount: number): OrtBinding {
    const range = `${firstSlot}+${slotCount}`;
    const binding = this.bindings.get(range) ?? this.create(firstSlot, slotCount);
    this.bindings.delete(range);
    this.bindings.set(range, binding);
    if (this.bindings.size > KEPT_BINDINGS) this.closeOldest();
    return binding;
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
