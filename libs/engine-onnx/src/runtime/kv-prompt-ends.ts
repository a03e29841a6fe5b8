import type { PromptEndMemory, SlotPositions } from '#lib/engine';
import { BLOCK_TOKENS } from './kv-block-places.js';
import { type KvMemory, type KvShape, kvBytesPerToken } from './kv-memory.js';
import type { VirtualMemory } from './virtual-memory.js';

export interface PromptEndsPlan {
  /** As many as all memory for KV holds, and one at least. */
  readonly count: number;
  /** Bytes of a place, in whole pages of the system. */
  readonly placeBytes: number;
  readonly pageBytes: number;
  readonly bytesPerToken: number;
  readonly vocabularySize: number;
}

export function planPromptEnds(
  shape: Pick<KvShape, 'layers' | 'kvHeads' | 'headDim'> & { readonly vocabularySize: number },
  { pageBytes, kvTotalBytes }: { readonly pageBytes: number; readonly kvTotalBytes: number },
): PromptEndsPlan {
  const { vocabularySize } = shape;
  const bytesPerToken = kvBytesPerToken(shape);
  const mostBytes = writtenBytes(BLOCK_TOKENS - 1, { vocabularySize, bytesPerToken });
  const placeBytes = Math.ceil(mostBytes / pageBytes) * pageBytes;
  const count = Math.max(1, Math.floor(kvTotalBytes / placeBytes));
  return { count, placeBytes, pageBytes, bytesPerToken, vocabularySize };
}

/**
 * Places for the ends of prompts in the memory of the slots, behind the blocks: the logits of the last token, then the positions, shape
 * [2 · layers · kvHeads, positions, headDim]. Pages come for what is written, the less the fewer positions there are.
 */
export class KvPromptEnds implements PromptEndMemory {
  readonly places: number;

  /** @param plan  with the `offset` in `memory` at which places begin, between two pages */
  constructor(
    private readonly memory: VirtualMemory,
    private readonly kv: KvMemory,
    private readonly plan: PromptEndsPlan & { readonly offset: number },
  ) {
    this.places = plan.count;
  }

  takenTokens(positions: number): number {
    const { pageBytes, bytesPerToken } = this.plan;
    return Math.ceil((Math.ceil(writtenBytes(positions, this.plan) / pageBytes) * pageBytes) / bytesPerToken);
  }

  save(place: number, positions: SlotPositions, logits: Float32Array): void {
    const offset = this.offsetOf(place);
    this.memory.populate(offset, writtenBytes(positions.to - positions.from, this.plan));
    this.memory.write(offset, bytesOf(logits));
    this.eachHead(place, positions, (inSlot, inPlace, byteLength) => this.memory.copy(inPlace, inSlot, byteLength));
  }

  load(place: number, positions: SlotPositions): Float32Array {
    const logits = new Float32Array(this.plan.vocabularySize);
    this.memory.read(this.offsetOf(place), bytesOf(logits));
    this.eachHead(place, positions, (inSlot, inPlace, byteLength) => this.memory.copy(inSlot, inPlace, byteLength));
    return logits;
  }

  release(place: number): void {
    this.memory.release(this.offsetOf(place), this.plan.placeBytes);
  }

  private eachHead(
    place: number,
    { slot, from, to }: SlotPositions,
    copy: (inSlot: number, inPlace: number, byteLength: number) => void,
  ): void {
    if (from === to) return;
    const heads = this.kv.headOffsets(slot);
    const positionBytes = this.plan.bytesPerToken / heads.length;
    const byteLength = (to - from) * positionBytes;
    const first = this.offsetOf(place) + this.plan.vocabularySize * Float32Array.BYTES_PER_ELEMENT;
    for (const [head, offset] of heads.entries()) {
      copy(offset + from * positionBytes, first + head * byteLength, byteLength);
    }
  }

  private offsetOf(place: number): number {
    return this.plan.offset + place * this.plan.placeBytes;
  }
}

function writtenBytes(
  positions: number,
  { vocabularySize, bytesPerToken }: Pick<PromptEndsPlan, 'vocabularySize' | 'bytesPerToken'>,
): number {
  return vocabularySize * Float32Array.BYTES_PER_ELEMENT + positions * bytesPerToken;
}

function bytesOf(numbers: Float32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}
