import type { CacheRegistration, KvEvents } from '#lib/contracts';
import { BLOCK_HASH_BYTES, nameInLayout, PrefixHashes, SEGMENT_BLOCKS } from '#lib/kv';
import { LinkTraffic } from '../forecast/link-traffic.js';
import { KvFollower, type KvFollowing } from '../kv-index/kv-follower.js';
import { KvIndex } from '../kv-index/kv-index.js';
import type { CacheView } from './cache-view.js';
import { PromptInCaches } from './prompt-in-caches.js';

/** Caches that are followed at once, as many as workers may know (`kvcache.targets`). */
const MOST_CACHES = 64;

export interface CacheFleetOptions {
  /** Distinct blocks that are remembered; of more, nothing is known. */
  readonly capacityBlocks: number;
  /** Silence after which a cache is forgotten, in milliseconds. */
  readonly timeoutMs: number;
}

export type CacheRegisterOutcome =
  | { readonly kind: 'joined' | 'updated' | 'replaced' }
  | { readonly kind: 'superseded'; readonly byEpoch: number }
  /** More are followed than can be. */
  | { readonly kind: 'full' };

interface CacheMember extends CacheView {
  lastHeardMs: number;
}

/**
 * The caches of KV blocks, as one scheduler knows them, and what they hold. Nothing is ever placed on them. A cache is one (id, epoch); of two
 * epochs the larger lives, and begins with nothing. Their blocks have an index of their own: however much they hold, what workers hold keeps its
 * place, and where there are no caches there is none.
 */
export class CacheFleet {
  private readonly members = new Map<string, CacheMember>();
  /** Names of a segment's blocks, for one look-up after the other. */
  private readonly names = new Uint8Array(SEGMENT_BLOCKS * BLOCK_HASH_BYTES);
  private known: { readonly index: KvIndex; readonly follower: KvFollower } | undefined;

  constructor(private readonly options: CacheFleetOptions) {}

  get size(): number {
    return this.members.size;
  }

  /** Distinct blocks that are known to be held, and those of caches that left, until they are swept. */
  get heldBlocks(): number {
    return this.known?.index.size ?? 0;
  }

  get needsSweep(): boolean {
    return this.known?.index.needsSweep ?? false;
  }

  /** As `KvIndex.sweep`. */
  sweep(slots: number): boolean {
    return this.known?.index.sweep(slots) ?? false;
  }

  register({ cacheId, cacheEpoch, target }: CacheRegistration, nowMs: number): CacheRegisterOutcome {
    const before = this.members.get(cacheId);
    if (before !== undefined && before.cacheEpoch > cacheEpoch) {
      return { kind: 'superseded', byEpoch: before.cacheEpoch };
    }
    if (before?.cacheEpoch === cacheEpoch) {
      before.lastHeardMs = nowMs;
      return { kind: 'updated' };
    }
    if (before === undefined && this.members.size >= MOST_CACHES) return { kind: 'full' };
    if (before !== undefined) this.forget(before);
    this.members.set(cacheId, { cacheId, cacheEpoch, target, traffic: new LinkTraffic(), lastHeardMs: nowMs });
    return { kind: before === undefined ? 'joined' : 'replaced' };
  }

  /** Events of another epoch are left aside. */
  apply(cacheId: string, cacheEpoch: number, events: KvEvents, nowMs: number): KvFollowing {
    const member = this.memberOf(cacheId, cacheEpoch);
    if (member === undefined) return 'current';
    member.lastHeardMs = nowMs;
    this.known ??= this.begin();
    return this.known.follower.apply(cacheId, events);
  }

  /** @returns whether this epoch of the cache was there */
  remove(cacheId: string, cacheEpoch: number): boolean {
    const member = this.memberOf(cacheId, cacheEpoch);
    if (member !== undefined) this.forget(member);
    return member !== undefined;
  }

  /** Forgets the caches that have been silent for too long. */
  expire(nowMs: number): CacheView[] {
    const silent = [...this.members.values()].filter(
      ({ lastHeardMs }) => nowMs - lastHeardMs >= this.options.timeoutMs,
    );
    for (const member of silent) this.forget(member);
    return silent;
  }

  /** Time in which nobody listened is not silence. */
  excuse(awayMs: number, nowMs: number): void {
    for (const member of this.members.values()) member.lastHeardMs = Math.min(nowMs, member.lastHeardMs + awayMs);
  }

  /**
   * Where a prompt's blocks are.
   * @param layout  in which they are of use (`ServedModel.kvLayout`)
   */
  find(hashes: PrefixHashes, layout: Uint8Array): PromptInCaches {
    const caches = [...this.members.values()];
    const holders = caches.map(({ cacheId: workerId }) => ({ workerId }));
    return new PromptInCaches(hashes.length, (firstBlock, endBlock) => {
      if (this.known === undefined) return undefined;
      const { index } = this.known;
      const heldOf = (blocks: readonly number[]) => {
        const names = new PrefixHashes(this.names.subarray(0, blocks.length * BLOCK_HASH_BYTES));
        for (const [at, block] of blocks.entries()) nameInLayout(hashes.at(block), layout, names.at(at));
        return index.leadingBlocks(names, holders);
      };
      // Within a segment, who holds a block holds those before it: mostly the first and the last one tell all.
      const ends = heldOf([firstBlock, endBlock - 1]);
      const mostOfEnds = Math.max(0, ...ends);
      if (mostOfEnds === 0) return undefined;
      const runOf = (place: number, end: number) => ({ cache: caches[place]!, firstBlock, endBlock: end }); // one of them
      if (mostOfEnds === 2) return runOf(ends.indexOf(2), endBlock);
      const held = heldOf(Array.from({ length: endBlock - firstBlock }, (_, at) => firstBlock + at));
      const most = Math.max(...held);
      return runOf(held.indexOf(most), firstBlock + most);
    });
  }

  private begin() {
    const { capacityBlocks } = this.options;
    const index = new KvIndex({ capacityBlocks, capacityWorkers: MOST_CACHES });
    return { index, follower: new KvFollower(index) };
  }

  private memberOf(cacheId: string, cacheEpoch: number): CacheMember | undefined {
    const member = this.members.get(cacheId);
    return member?.cacheEpoch === cacheEpoch ? member : undefined;
  }

  private forget({ cacheId }: CacheView): void {
    this.members.delete(cacheId);
    this.known?.follower.forget(cacheId);
  }
}
