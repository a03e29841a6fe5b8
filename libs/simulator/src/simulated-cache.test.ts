import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEviction, EVICTIONS, type Eviction } from '#lib/kv';
import { type KvReservation, SimulatedCache } from './simulated-cache.js';

const KV_BLOCKS = 12;

function cacheWithMirror(eviction: Eviction = 'lru') {
  const mirror = new Set<number>();
  const cache = new SimulatedCache(
    KV_BLOCKS,
    createEviction(eviction, (id: number) => id),
    {
      stored: (id) => mirror.add(id),
      removed: (id) => mirror.delete(id),
    },
  );
  return { cache, mirror };
}

/** Runs a prompt from admission to its end. */
function serve(cache: SimulatedCache, blockIds: readonly number[], totalBlocks = blockIds.length): KvReservation {
  const reservation = cache.admit(blockIds, totalBlocks)!;
  for (let position = reservation.hitBlocks; position < blockIds.length; position++)
    cache.publish(reservation, position);
  cache.release(reservation);
  return reservation;
}

/** Chains that share prefixes: block ids are numbers of a tree in which block n's parent is n >> 1. */
const chain = fc.integer({ min: 1, max: 63 }).map((leaf) => {
  const ids: number[] = [];
  for (let id = leaf; id > 0; id >>= 1) ids.unshift(id);
  return ids;
});
const commands = fc.array(fc.record({ blockIds: chain, outputBlocks: fc.nat(2), act: fc.nat(3), pick: fc.nat() }), {
  maxLength: 60,
});

describe('the KV of a simulated worker', () => {
  it.each(EVICTIONS)(
    'given two prompts computed at once with the same beginning, under %s their ends go before it',
    (eviction) => {
      const { cache, mirror } = cacheWithMirror(eviction);
      const [first, second] = [cache.admit([1, 2, 4], 3)!, cache.admit([1, 2, 5], 3)!];
      for (const reservation of [first, second]) for (const position of [0, 1, 2]) cache.publish(reservation, position);
      cache.release(first);
      cache.release(second);
      cache.admit([60, 61, 62, 63, 64, 65, 66, 67, 68, 69], KV_BLOCKS - 2);
      expect([...mirror].sort()).toEqual([1, 2]);
    },
  );

  it.each(EVICTIONS)(
    'given any requests under %s, then no block is lost or held twice, and listeners know what is cached',
    (eviction) =>
      fc.assert(
        fc.property(commands, (all) => {
          const { cache, mirror } = cacheWithMirror(eviction);
          const running: { reservation: KvReservation; next: number }[] = [];
          for (const { blockIds, outputBlocks, act, pick } of all) {
            const chosen = running[pick % Math.max(1, running.length)];
            if (act === 0 || chosen === undefined) {
              const reservation = cache.admit(blockIds, blockIds.length + outputBlocks);
              if (reservation !== undefined) running.push({ reservation, next: reservation.hitBlocks });
            } else if (act < 3 && chosen.next < chosen.reservation.blockIds.length) {
              cache.publish(chosen.reservation, chosen.next++);
            } else {
              cache.release(chosen.reservation);
              running.splice(running.indexOf(chosen), 1);
            }
            const privateBlocks = running.reduce((sum, { reservation }) => sum + reservation.privateBlocks, 0);
            const { free, cached } = cache.occupancy();
            expect(free).toBeGreaterThanOrEqual(0);
            expect(free + cached + privateBlocks).toBe(KV_BLOCKS);
            expect(mirror.size).toBe(cached);
            for (const { reservation, next } of running) {
              const { blockIds, hitBlocks, isPublished } = reservation;
              const isPinned = (position: number) => position < hitBlocks || isPublished[position] === true;
              // what others had when it was computed is not pinned: it may go with them
              const pinned = blockIds.slice(0, next).filter((_, position) => isPinned(position));
              expect(pinned.map((blockId) => cache.leadingBlocks([blockId]))).toEqual(pinned.map(() => 1));
              const firstUnpinned = blockIds.findIndex((_, position) => position >= next || !isPinned(position));
              expect(cache.leadingBlocks(blockIds)).toBeGreaterThanOrEqual(firstUnpinned < 0 ? next : firstUnpinned);
            }
          }
          for (const { reservation } of running) cache.release(reservation);
          const { free, cached, unpinned } = cache.occupancy();
          expect([free + cached, unpinned]).toEqual([KV_BLOCKS, cached]);
        }),
      ),
  );

  it('finds the longest cached prefix, and not what follows a gap', () => {
    const { cache } = cacheWithMirror();
    serve(cache, [1, 2, 3]);
    expect(cache.leadingBlocks([1, 2, 9, 3])).toBe(2);
    expect(serve(cache, [1, 2, 4]).hitBlocks).toBe(2);
  });

  it('drops the end of the prompt that was released longest ago first', () => {
    const { cache } = cacheWithMirror();
    serve(cache, [1, 2, 3, 4]);
    serve(cache, [11, 12, 13, 14]);
    serve(cache, [21, 22], 6);
    expect([cache.leadingBlocks([1, 2, 3, 4]), cache.leadingBlocks([11, 12, 13, 14])]).toEqual([2, 4]);
  });

  it('has no room while others hold it, and counts a prefix that is shared once', () => {
    const { cache } = cacheWithMirror();
    const first = cache.admit([1, 2], 8)!;
    expect(cache.admit([5], 5)).toBeUndefined();
    cache.publish(first, 0);
    cache.publish(first, 1);
    expect(cache.admit([1, 2], 6)?.hitBlocks).toBe(2);
    expect(cache.admit([5], 1)).toBeUndefined();
  });
});
