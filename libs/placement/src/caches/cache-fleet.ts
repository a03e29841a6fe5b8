import type { CacheRegistration, KvEvents } from '#lib/contracts';
import { SEGMENT_BLOCKS } from '#lib/kv';
import { LinkTraffic } from '../forecast/link-traffic.js';
import { KvFollower, type KvFollowing } from '../kv-index/kv-follower.js';
import { KvIndex } from '../kv-index/kv-index.js';

/** Caches that are followed at once, as many as workers may know (`kvcache.targets`). */
const MOST_CACHES = 64;
/** Pieces of a prompt that come from different caches. Chosen: 64 segments are 65,536 tokens; whoever needs more has parts on all of them. */
const MOST_RUNS = 64;

export interface CacheFleetOptions {
  /** Distinct blocks that are remembered; of more, nothing is known. */
  readonly capacityBlocks: number;
  /** Silence after which a cache is forgotten, in milliseconds. */
  readonly timeoutMs: number;
}

/** A cache of KV blocks, as decisions see it. */
export interface CacheView {
  readonly cacheId: string;
  readonly cacheEpoch: number;
  /** Under which workers reach its blocks. */
  readonly target: string;
  /** What leaves it, by the leases that said so. */
  readonly traffic: LinkTraffic;
}

/** Blocks of a prompt that one cache holds, one behind the other. */
export interface CacheRun {
  readonly cache: CacheView;
  readonly firstBlock: number;
  /** The one behind its last. */
  readonly endBlock: number;
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
  private known: { readonly index: KvIndex; readonly follower: KvFollower } | undefined;

  constructor(private readonly options: CacheFleetOptions) {}

  get size(): number {
    return this.members.size;
  }

  /** Distinct blocks that are known to be held. */
  get heldBlocks(): number {
    return this.known?.index.size ?? 0;
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
   * Where a prompt's blocks are, from one of them on up to the first that no cache holds. Workers spread segments of a chain over the caches,
   * so each segment is looked up by itself: within one, who holds a block holds those before it.
   * @param hashes  of the prompt's blocks, first block first
   * @param firstBlock  the first one that is wanted
   */
  runsFrom(hashes: readonly Uint8Array[], firstBlock: number): CacheRun[] {
    const runs: { cache: CacheView; firstBlock: number; endBlock: number }[] = [];
    if (this.known === undefined) return runs;
    const { index } = this.known;
    const cacheIds = [...this.members.keys()];
    for (let next = firstBlock; next < hashes.length; ) {
      const segmentEnd = Math.min(hashes.length, (Math.floor(next / SEGMENT_BLOCKS) + 1) * SEGMENT_BLOCKS);
      const held = index.leadingBlocks(hashes.slice(next, segmentEnd), cacheIds);
      const most = Math.max(0, ...held);
      if (most === 0) break;
      const last = runs.at(-1);
      const goesOn = last !== undefined && held[cacheIds.indexOf(last.cache.cacheId)] === most;
      if (goesOn) last.endBlock = next + most;
      else if (runs.length === MOST_RUNS) break;
      else {
        const cache = this.members.get(cacheIds[held.indexOf(most)]!)!; // one of them
        runs.push({ cache, firstBlock: next, endBlock: next + most });
      }
      next += most;
    }
    return runs;
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
