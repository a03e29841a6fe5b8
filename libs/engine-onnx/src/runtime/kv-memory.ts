import type { TensorMemory } from './ort-binding.js';
import type { OrtMemory } from './ort-memory.js';

export type KvSide = 'key' | 'value';

export interface KvShape {
  readonly layers: number;
  readonly slots: number;
  readonly kvHeads: number;
  /** Positions in a slot. */
  readonly contextTokens: number;
  readonly headDim: number;
}

const FLOAT_BYTES = 4;

/** Bytes of one position over all layers, keys and values. */
export function kvBytesPerToken(shape: Pick<KvShape, 'layers' | 'kvHeads' | 'headDim'>): number {
  return 2 * shape.layers * shape.kvHeads * shape.headDim * FLOAT_BYTES;
}

/**
 * Keys and values of all slots in one allocation: for each layer, first its keys and then its values as one tensor
 * [slots, kvHeads, contextTokens, headDim]. A contiguous range of slots is therefore a tensor too, without a copy.
 */
export class KvMemory {
  private bytes: Uint8Array | undefined;

  constructor(
    private readonly memory: OrtMemory,
    private readonly shape: KvShape,
  ) {}

  /** Whether the memory is the CPU's. */
  get isCopyable(): boolean {
    return this.memory.isOnCpu;
  }

  /** Copies positions [0, tokens) of one slot to another: for each head of each layer one move of memory. */
  copy(fromSlot: number, toSlot: number, tokens: number): void {
    this.bytes ??= this.memory.view();
    const { layers, slots, kvHeads, contextTokens, headDim } = this.shape;
    const headBytes = contextTokens * headDim * FLOAT_BYTES;
    const slotBytes = kvHeads * headBytes;
    const copiedBytes = tokens * headDim * FLOAT_BYTES;
    for (let side = 0; side < 2 * layers; side++) {
      const from = (side * slots + fromSlot) * slotBytes;
      const to = (side * slots + toSlot) * slotBytes;
      for (let offset = 0; offset < slotBytes; offset += headBytes) {
        this.bytes.copyWithin(to + offset, from + offset, from + offset + copiedBytes);
      }
    }
  }

  static byteLength(shape: KvShape): number {
    return shape.slots * shape.contextTokens * kvBytesPerToken(shape);
  }

  /** Memory and shape of one layer's keys or values over the slots [firstSlot, firstSlot + slotCount). */
  tensor(layer: number, side: KvSide, firstSlot: number, slotCount: number): { memory: TensorMemory; shape: number[] } {
    const { slots, kvHeads, contextTokens, headDim } = this.shape;
    const slotBytes = kvHeads * contextTokens * headDim * FLOAT_BYTES;
    const sideIndex = layer * 2 + (side === 'key' ? 0 : 1);
    const offset = (sideIndex * slots + firstSlot) * slotBytes;
    return {
      memory: {
        address: this.memory.address + BigInt(offset),
        byteLength: slotCount * slotBytes,
        place: this.memory.place,
      },
      shape: [slotCount, kvHeads, contextTokens, headDim],
    };
  }

  close(): void {
    this.bytes = undefined;
    this.memory.close();
  }
}
