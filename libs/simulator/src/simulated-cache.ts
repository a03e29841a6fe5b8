import type { EvictionPolicy, KeptRequest } from '#lib/kv';

/** What a cache tells about itself, block by block. */
export interface CacheListener {
  stored(blockId: number): void;
  removed(blockId: number): void;
}

/** KV that one request holds, from admission to its end. */
export interface KvReservation {
  readonly blockIds: readonly number[];
  /** Leading blocks that were cached at admission; pinned since. */
  readonly hitBlocks: number;
  /** By position: blocks this request has published and pins. */
  readonly isPublished: boolean[];
  /** Blocks that nobody else can see. */
  privateBlocks: number;
}

/**
 * The KV of a simulated worker: blocks that running requests reserved, and blocks of earlier prompts that nobody uses now.
 * `free + private + cached = kvBlocks`; of the cached ones, those that nobody pins go in the eviction policy's order.
 */
export class SimulatedCache {
  /** How many requests pin a cached block, by id. */
  private readonly pins = new Map<number, number>();
  private freeBlocks: number;
  private unpinnedBlocks = 0;

  constructor(
    readonly kvBlocks: number,
    private readonly eviction: EvictionPolicy<number>,
    private readonly listener: CacheListener,
  ) {
    this.freeBlocks = kvBlocks;
  }

  /** Length of the leading run of blocks that is cached. */
  leadingBlocks(blockIds: readonly number[]): number {
    let count = 0;
    while (count < blockIds.length && this.pins.has(blockIds[count]!)) count++;
    return count;
  }

  /**
   * Pins the longest cached prefix and reserves the rest, evicting what nobody pins.
   * @param totalBlocks  of prompt and output together
   * @returns undefined when there is no room now
   */
  admit(blockIds: readonly number[], totalBlocks: number): KvReservation | undefined {
    const hitBlocks = this.leadingBlocks(blockIds);
    const needed = totalBlocks - hitBlocks;
    let unpinnedHits = 0;
    for (let i = 0; i < hitBlocks; i++) if (this.pins.get(blockIds[i]!) === 0) unpinnedHits++;
    if (needed > this.freeBlocks + this.unpinnedBlocks - unpinnedHits) return undefined;
    for (let i = 0; i < hitBlocks; i++) this.pin(blockIds[i]!);
    this.eviction.found(blockIds.slice(0, hitBlocks));
    while (this.freeBlocks < needed) this.evict();
    this.freeBlocks -= needed;
    return { blockIds, hitBlocks, isPublished: [], privateBlocks: needed };
  }

  /** The block at a position of the prompt is computed: from now on others see it, unless they have the same already. */
  publish(reservation: KvReservation, position: number): void {
    const blockId = reservation.blockIds[position]!;
    if (this.pins.has(blockId)) return;
    this.pins.set(blockId, 1);
    reservation.isPublished[position] = true;
    reservation.privateBlocks--;
    this.listener.stored(blockId);
  }

  /** The request ended: its output is freed, its prompt stays until evicted; the last block is released first. */
  release(reservation: KvReservation, request?: KeptRequest): void {
    this.freeBlocks += reservation.privateBlocks;
    const { blockIds, hitBlocks, isPublished } = reservation;
    const kept = blockIds.filter((_, position) => position < hitBlocks || isPublished[position]);
    for (const blockId of kept) {
      const pins = this.pins.get(blockId)! - 1; // it is pinned by this request
      this.pins.set(blockId, pins);
      if (pins === 0) this.unpinnedBlocks++;
    }
    // Its prompt may have blocks that others computed at the same time: they are used by it like its own, and stay before those behind them.
    this.eviction.kept(
      blockIds.filter((blockId) => this.pins.has(blockId)),
      request,
    );
  }

  /** Blocks that nobody holds, that are cached, and those of them that no request uses. */
  occupancy(): { free: number; cached: number; unpinned: number } {
    return { free: this.freeBlocks, cached: this.pins.size, unpinned: this.unpinnedBlocks };
  }

  private pin(blockId: number): void {
    const pins = this.pins.get(blockId)!; // it is cached
    if (pins === 0) this.unpinnedBlocks--;
    this.pins.set(blockId, pins + 1);
  }

  private evict(): void {
    for (const blockId of this.eviction.inOrder()) {
      if (this.pins.get(blockId)! > 0) continue; // the policy has only cached ones
      this.pins.delete(blockId);
      this.unpinnedBlocks--;
      this.freeBlocks++;
      this.eviction.forget(blockId);
      this.listener.removed(blockId);
      return;
    }
    throw new Error('there is no block to evict');
  }
}
