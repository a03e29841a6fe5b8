import type { TensorMemory } from './ort-binding.js';
import type { OrtMemory } from './ort-memory.js';
import type { MemoryPlace } from './ort-runtime.js';
import { VirtualMemory } from './virtual-memory.js';

export type KvSide = 'key' | 'value';

export interface KvShape {
  readonly layers: number;
  readonly slots: number;
  readonly kvHeads: number;
  /** Positions in a slot; for memory that grows, in whole pages. */
  readonly slotTokens: number;
  readonly headDim: number;
}

const FLOAT_BYTES = 4;

/** Bytes of one position over all layers, keys and values. */
export function kvBytesPerToken(shape: Pick<KvShape, 'layers' | 'kvHeads' | 'headDim'>): number {
  return 2 * shape.layers * shape.kvHeads * shape.headDim * FLOAT_BYTES;
}

/** Positions of a head that fill whole pages of the system: the unit in which a slot grows. */
export function kvPageTokens(headDim: number, pageBytes: number): number {
  const tokenBytes = headDim * FLOAT_BYTES;
  let tokens = 1;
  while ((tokens * tokenBytes) % pageBytes !== 0) tokens++;
  return tokens;
}

/**
 * Keys and values of all slots in one range of addresses: for each layer, first its keys and then its values as one tensor
 * [slots, kvHeads, slotTokens, headDim]. A contiguous range of slots is therefore a tensor too, without a copy.
 *
 * In virtual memory a slot takes only what is written of it: for each head of each layer the pages up to its last
 * position. A device's memory is taken whole.
 */
export class KvMemory {
  private bytes: Uint8Array | undefined;

  constructor(
    private readonly memory: VirtualMemory | OrtMemory,
    private readonly place: MemoryPlace,
    private readonly shape: KvShape,
  ) {}

  static byteLength(shape: KvShape): number {
    return shape.slots * shape.slotTokens * kvBytesPerToken(shape);
  }

  /** Whether this process can copy it. */
  get isCopyable(): boolean {
    return this.memory instanceof VirtualMemory || this.memory.isOnCpu;
  }

  /** Copies positions [0, tokens) of one slot to another: for each head of each layer one move of memory. */
  copy(fromSlot: number, toSlot: number, tokens: number): void {
    const copiedBytes = tokens * this.shape.headDim * FLOAT_BYTES;
    const toOffsets = this.headOffsets(toSlot);
    for (const [head, from] of this.headOffsets(fromSlot).entries()) {
      this.copyBytes(from, toOffsets[head]!, copiedBytes);
    }
  }

  /** Where the keys of each head of a slot begin, then the values, layer by layer: in each a run of [slotTokens, headDim]. */
  headOffsets(slot: number): number[] {
    const { kvHeads, slotTokens, headDim } = this.shape;
    const headBytes = slotTokens * headDim * FLOAT_BYTES;
    return this.sideOffsets(slot).flatMap((side) =>
      Array.from({ length: kvHeads }, (_, head) => side + head * headBytes),
    );
  }

  /** Gives back the memory of a slot, where it can be. */
  release(slot: number): void {
    if (!(this.memory instanceof VirtualMemory)) return;
    for (const offset of this.sideOffsets(slot)) this.memory.release(offset, this.slotBytes);
  }

  /** Gives back the memory of a slot beyond `tokens` positions, which fill whole pages, where it can be. */
  trim(slot: number, tokens: number): void {
    if (!(this.memory instanceof VirtualMemory) || tokens >= this.shape.slotTokens) return;
    const { slotTokens, headDim } = this.shape;
    const keptBytes = tokens * headDim * FLOAT_BYTES;
    const givenBytes = (slotTokens - tokens) * headDim * FLOAT_BYTES;
    for (const offset of this.headOffsets(slot)) this.memory.release(offset + keptBytes, givenBytes);
  }

  /** Memory and shape of one layer's keys or values over the slots [firstSlot, firstSlot + slotCount). */
  tensor(layer: number, side: KvSide, firstSlot: number, slotCount: number): { memory: TensorMemory; shape: number[] } {
    const { slots, kvHeads, slotTokens, headDim } = this.shape;
    const sideIndex = layer * 2 + (side === 'key' ? 0 : 1);
    const offset = (sideIndex * slots + firstSlot) * this.slotBytes;
    return {
      memory: {
        address: this.memory.address + BigInt(offset),
        byteLength: slotCount * this.slotBytes,
        place: this.place,
      },
      shape: [slotCount, kvHeads, slotTokens, headDim],
    };
  }

  close(): void {
    this.bytes = undefined;
    this.memory.close();
  }

  /** Of a slot's keys, or values, in one layer. */
  private get slotBytes(): number {
    const { kvHeads, slotTokens, headDim } = this.shape;
    return kvHeads * slotTokens * headDim * FLOAT_BYTES;
  }

  /** Where the keys and then the values of a slot begin, layer by layer. */
  private sideOffsets(slot: number): number[] {
    const { layers, slots } = this.shape;
    return Array.from({ length: 2 * layers }, (_, side) => (side * slots + slot) * this.slotBytes);
  }

  private copyBytes(from: number, to: number, byteLength: number): void {
    if (this.memory instanceof VirtualMemory) {
      this.memory.copy(to, from, byteLength);
      return;
    }
    this.bytes ??= this.memory.view();
    this.bytes.copyWithin(to, from, from + byteLength);
  }
}
