import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KvBlocksStored, type KvEvent, KvEvents } from '#lib/contracts';
import { KvFollower } from './kv-follower.js';
import { KvIndex } from './kv-index.js';

const hash = fc
  .integer({ min: 1, max: 12 })
  .map((seed) => Uint8Array.from({ length: 16 }, (_, index) => seed * (index + 7)));
const idOf = (block: Uint8Array) => [...block].join();

/** A worker's store, which numbers its changes as the contract says. */
class Store {
  readonly held = new Map<string, Uint8Array>();
  private nextSequence = 1;

  change(block: Uint8Array): KvEvents {
    const isHeld = this.held.delete(idOf(block));
    if (!isHeld) this.held.set(idOf(block), block);
    const value = KvBlocksStored.fromPartial({ blockHashes: [Buffer.from(block)], modelId: 'm', medium: 'device' });
    return this.said([{ change: isHeld ? { $case: 'removed', value } : { $case: 'stored', value } } as KvEvent], false);
  }

  clear(): KvEvents {
    this.held.clear();
    return this.said([{ change: { $case: 'cleared', value: {} } }], false);
  }

  snapshot(): KvEvents {
    const blockHashes = [...this.held.values()].map((block) => Buffer.from(block));
    const value = KvBlocksStored.fromPartial({ blockHashes, modelId: 'm', medium: 'device' });
    return this.said([{ change: { $case: 'stored', value } }], true);
  }

  /** Nothing new: where the count is, and the checksum. */
  heartbeat(): KvEvents {
    return this.said([], false);
  }

  private said(events: KvEvent[], snapshot: boolean): KvEvents {
    const firstSequence = this.nextSequence;
    this.nextSequence += events.length;
    const checksum = new Uint8Array(16);
    for (const block of this.held.values())
      for (const [at, byte] of block.entries()) checksum[at] = checksum[at]! ^ byte;
    return KvEvents.fromPartial({ firstSequence, events, snapshot, checksum: Buffer.from(checksum) });
  }
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      act: fc.constantFrom('change', 'clear'),
      block: hash,
      fate: fc.constantFrom('sent', 'sent', 'sent', 'lost', 'repeated', 'late'),
      snapshot: fc.constantFrom('sent', 'sent', 'lost', 'late'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constantFrom('worker-restarts', 'scheduler-restarts'),
      block: hash,
      fate: fc.constant('sent'),
      snapshot: fc.constant('sent'),
    }),
  },
);

describe('KvFollower', () => {
  it('given lost, repeated and late events and restarts of either side, then what it knows becomes what the worker holds', () =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let store = new Store();
        let index = new KvIndex({ capacityBlocks: 64, capacityWorkers: 2 });
        let follower = new KvFollower(index);
        const sent: KvEvents[] = [];
        let late: KvEvents[] = [];
        const deliver = (events: KvEvents, snapshotFate = 'sent') => {
          sent.push(events);
          if (follower.apply('w', events) === 'current') return;
          const snapshot = store.snapshot();
          if (snapshotFate === 'late') late.push(snapshot);
          else if (snapshotFate === 'sent') expect(follower.apply('w', snapshot)).toBe('current');
        };
        for (const { act, block, fate, snapshot } of steps) {
          if (act === 'worker-restarts') {
            store = new Store();
            [sent.length, late] = [0, []];
            follower.forget('w');
          } else if (act === 'scheduler-restarts') {
            index = new KvIndex({ capacityBlocks: 64, capacityWorkers: 2 });
            follower = new KvFollower(index);
          } else {
            const events = act === 'clear' ? store.clear() : store.change(block);
            if (fate === 'late') late.push(events);
            else if (fate !== 'lost') deliver(events, snapshot);
            const old = sent.at(-2);
            if (fate === 'repeated' && old !== undefined) follower.apply('w', old);
            if (fate === 'sent') for (const one of late.splice(0)) follower.apply('w', one);
          }
        }
        // What a worker says at the end of each report interval; half a second by default.
        deliver(store.heartbeat());
        while (index.sweep(64));
        expect(index.size).toBe(store.held.size);
        for (const block of store.held.values()) expect([...index.leadingBlocks([block], ['w'])]).toEqual([1]);
      }),
      { numRuns: 500 },
    ));

  it('takes nothing but a snapshot after a gap', () => {
    const store = new Store();
    const follower = new KvFollower(new KvIndex({ capacityBlocks: 64, capacityWorkers: 2 }));
    const [a, b, c] = [1, 2, 3].map((seed) => Uint8Array.from({ length: 16 }, () => seed)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    expect(follower.apply('w', store.change(a))).toBe('current');
    store.change(b);
    expect(follower.apply('w', store.change(c))).toBe('needs-snapshot');
    expect(follower.apply('w', store.heartbeat())).toBe('needs-snapshot');
    expect(follower.apply('w', store.snapshot())).toBe('current');
    expect(follower.apply('w', store.heartbeat())).toBe('current');
  });
});
