import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KvBlocksStored, KvEvents } from '#lib/contracts';
import { nameInLayout, PrefixHashes } from '#lib/kv';
import { describeKvFollowing, type FollowedHolder } from '../kv-index/kv-following.conformance.js';
import { CacheFleet } from './cache-fleet.js';

const OPTIONS = { capacityBlocks: 4_096, timeoutMs: 5_000 };
const registered = (cacheId: string, cacheEpoch = 1) => ({ cacheId, cacheEpoch, target: `${cacheId}:1` });
const LAYOUT = Uint8Array.from({ length: 16 }, (_, at) => 7 * at + 1);
const ANOTHER = Uint8Array.from(LAYOUT, (byte) => byte + 1);
const chain = Array.from({ length: 300 }, (_, number) =>
  Uint8Array.from({ length: 16 }, (_b, at) => ((number + 1) * (at + 3) + (number >> 6) * 31) % 256),
);

function stored(blocks: readonly Uint8Array[], firstSequence = 1): KvEvents {
  const blockHashes = blocks.map((block) => Buffer.from(nameInLayout(block, LAYOUT)));
  const value = KvBlocksStored.fromPartial({ blockHashes, medium: 'host' });
  return KvEvents.fromPartial({ firstSequence, events: [{ change: { $case: 'stored', value } }] });
}

/** @param held  ranges of the chain, by the cache that holds them */
function holding(held: Readonly<Record<string, readonly (readonly [number, number])[]>>): CacheFleet {
  const fleet = new CacheFleet(OPTIONS);
  for (const [cacheId, ranges] of Object.entries(held)) {
    fleet.register(registered(cacheId), 0);
    fleet.apply(cacheId, 1, stored(ranges.flatMap(([from, to]) => chain.slice(from, to))), 0);
  }
  return fleet;
}

const runsOf = (fleet: CacheFleet, first: number, end = 300) =>
  fleet
    .find(PrefixHashes.of(chain.slice(0, end)), LAYOUT)
    .runsFrom(first)
    .map(({ cache, firstBlock, endBlock }) => [cache.cacheId, firstBlock, endBlock]);

/** When all of those that left is cleared. */
function heldBlocksOf(fleet: CacheFleet): number {
  while (fleet.sweep(64));
  return fleet.heldBlocks;
}

/** What the store of the suite tells is taken for names as it is. */
const NO_LAYOUT = new Uint8Array(16);

class FollowedCache implements FollowedHolder {
  private epoch = 1;
  private fleet = this.begun();

  get heldBlocks() {
    return heldBlocksOf(this.fleet);
  }

  holds = (block: Uint8Array) => this.fleet.find(PrefixHashes.of([block]), NO_LAYOUT).runsFrom(0).length === 1;
  apply = (events: KvEvents) => this.fleet.apply('a', this.epoch, events, 0);
  holderRestarted = () => {
    this.epoch++;
    expect(this.fleet.register(registered('a', this.epoch), 0)).toEqual({ kind: 'replaced' });
  };
  streamEnded = () => {
    expect(this.fleet.remove('a', this.epoch)).toBe(true);
    expect(this.heldBlocks).toBe(0);
    this.fleet.register(registered('a', this.epoch), 0);
  };
  schedulerRestarted = () => {
    this.fleet = this.begun();
  };

  private begun() {
    const fleet = new CacheFleet(OPTIONS);
    fleet.register(registered('a', this.epoch), 0);
    return fleet;
  }
}

describeKvFollowing('CacheFleet', () => new FollowedCache());

describe('CacheFleet', () => {
  it('given segments on two caches, then a prompt comes from one after the other, from any block on, up to the first gap', () => {
    const fleet = holding({
      a: [
        [0, 64],
        [128, 200],
      ],
      b: [[64, 128]],
    }); // prettier-ignore
    expect(runsOf(fleet, 0)).toEqual([
      ['a', 0, 64],
      ['b', 64, 128],
      ['a', 128, 200],
    ]); // prettier-ignore
    expect(runsOf(fleet, 70)).toEqual([
      ['b', 70, 128],
      ['a', 128, 200],
    ]); // prettier-ignore
    expect(runsOf(fleet, 150, 180)).toEqual([['a', 150, 180]]);
    expect(runsOf(fleet, 200)).toEqual([]);
  });

  it('given segments behind one another on one cache, then they are one run', () => {
    expect(runsOf(holding({ a: [[0, 300]], b: [[0, 64]] }), 0)).toEqual([['a', 0, 300]]); // prettier-ignore
  });

  it('given blocks in one layout, then who has another one has no use of them', () => {
    const fleet = holding({ a: [[0, 64]] });
    expect(fleet.find(PrefixHashes.of(chain), LAYOUT).runsFrom(0)).toHaveLength(1);
    expect(fleet.find(PrefixHashes.of(chain), ANOTHER).runsFrom(0)).toEqual([]);
  });

  it('given a beginning that nobody has, then what is behind it is of no use but to who has the beginning', () => {
    const fleet = holding({ a: [[10, 64]] });
    expect(runsOf(fleet, 0)).toEqual([]);
    expect(runsOf(fleet, 10)).toEqual([['a', 10, 64]]);
  });

  it('given any spread of prefixes of segments over caches, then the runs are what a look at each block finds', () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ cache: fc.constantFrom('a', 'b', 'c'), length: fc.integer({ min: 0, max: 64 }) }), {
          minLength: 1,
          maxLength: 5,
        }),
        fc.nat({ max: 299 }),
        (segments, first) => {
          const ranges: Record<string, [number, number][]> = { a: [], b: [], c: [] };
          const holder = new Map<number, string>();
          for (const [segment, { cache, length }] of segments.entries()) {
            const from = segment * 64;
            const to = Math.min(300, from + length);
            ranges[cache]!.push([from, to]);
            for (let block = from; block < to; block++) holder.set(block, cache);
          }
          let end = first;
          while (holder.has(end)) end++;
          const runs = runsOf(holding(ranges), first) as [string, number, number][];
          expect(runs.at(-1)?.[2] ?? first).toBe(end);
          for (const [cache, from, to] of runs)
            for (let block = from; block < to; block++) expect(holder.get(block)).toBe(cache);
          expect(runs.map(([, from]) => from)).toEqual([first, ...runs.map(([, , to]) => to)].slice(0, runs.length));
        },
      ),
    ));

  it('of two epochs keeps the larger, and takes nothing that the smaller one says', () => {
    const fleet = holding({ a: [[0, 64]] });
    expect(fleet.register(registered('a', 0), 1)).toEqual({ kind: 'superseded', byEpoch: 1 });
    expect(fleet.register(registered('a', 1), 1)).toEqual({ kind: 'updated' });
    expect(fleet.heldBlocks).toBe(64);
    expect(fleet.register(registered('a', 2), 1)).toEqual({ kind: 'replaced' });
    expect(heldBlocksOf(fleet)).toBe(0);
    fleet.apply('a', 1, stored(chain, 2), 1);
    expect(fleet.remove('a', 1)).toBe(false);
    expect([heldBlocksOf(fleet), fleet.size]).toEqual([0, 1]);
  });

  it('given caches that are silent, then they are forgotten, but not for time in which nobody listened', () => {
    const fleet = holding({ a: [[0, 64]], b: [[0, 10]] });
    fleet.apply('b', 1, stored([], 2), 4_000);
    expect(fleet.expire(4_999)).toEqual([]);
    fleet.excuse(3_000, 5_000);
    expect(fleet.expire(7_999)).toEqual([]);
    expect(fleet.expire(8_000).map(({ cacheId }) => cacheId)).toEqual(['a']);
    expect(runsOf(fleet, 0)).toEqual([['b', 0, 10]]);
  });

  it('given more caches, or more blocks, than it may know, then what is beyond is not known, and nothing breaks', () => {
    const fleet = new CacheFleet({ ...OPTIONS, capacityBlocks: 100 });
    for (let number = 0; number < 64; number++) expect(fleet.register(registered(`c${number}`), 0).kind).toBe('joined');
    expect(fleet.register(registered('one-more'), 0)).toEqual({ kind: 'full' });
    fleet.apply('c0', 1, stored(chain), 0);
    expect(fleet.heldBlocks).toBe(100);
    expect(runsOf(fleet, 0)).toEqual([['c0', 0, 100]]);
  });
});
