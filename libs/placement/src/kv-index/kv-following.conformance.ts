import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KvBlocksStored, type KvEvent, KvEvents } from '#lib/contracts';

/** Blocks of a snapshot's part: few, so that most snapshots have several. */
const PART_BLOCKS = 3;

const hash = fc
  .integer({ min: 1, max: 12 })
  .map((seed) => Uint8Array.from({ length: 16 }, (_, index) => seed * (index + 7)));
const idOf = (block: Uint8Array) => [...block].join();

/** What a worker or a cache holds, which numbers its changes as the contract says. */
export class HolderStore {
  readonly held = new Map<string, Uint8Array>();
  private nextSequence = 1;

  change(block: Uint8Array): KvEvents {
    const isHeld = this.held.delete(idOf(block));
    if (!isHeld) this.held.set(idOf(block), block);
    const value = KvBlocksStored.fromPartial({ blockHashes: [Buffer.from(block)], modelId: 'm', medium: 'device' });
    return this.said([{ change: isHeld ? { $case: 'removed', value } : { $case: 'stored', value } } as KvEvent]);
  }

  clear(): KvEvents {
    this.held.clear();
    return this.said([{ change: { $case: 'cleared', value: {} } }]);
  }

  /** In parts, of which the last one has the checksum. */
  snapshot(): KvEvents[] {
    const blocks = [...this.held.values()].map((block) => Buffer.from(block));
    const parts: KvEvents[] = [];
    do {
      const value = KvBlocksStored.fromPartial({ blockHashes: blocks.splice(0, PART_BLOCKS), medium: 'device' });
      const part = this.said([{ change: { $case: 'stored', value } }]);
      const checksum = blocks.length === 0 ? part.checksum : Buffer.alloc(0);
      parts.push({ ...part, snapshot: parts.length === 0, checksum });
    } while (blocks.length > 0);
    return parts;
  }

  /** Nothing new: where the count is, and the checksum. */
  heartbeat(): KvEvents {
    return this.said([]);
  }

  private said(events: KvEvent[]): KvEvents {
    const firstSequence = this.nextSequence;
    this.nextSequence += events.length;
    const checksum = new Uint8Array(16);
    for (const block of this.held.values())
      for (const [at, byte] of block.entries()) checksum[at] = checksum[at]! ^ byte;
    return KvEvents.fromPartial({ firstSequence, events, snapshot: false, checksum: Buffer.from(checksum) });
  }
}

/** What happens to a holder and to what it says. */
const holderStep = fc.oneof(
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
      act: fc.constantFrom('holder-restarts', 'scheduler-restarts', 'stream-ends'),
      block: hash,
      fate: fc.constant('sent'),
      snapshot: fc.constant('sent'),
    }),
  },
);
type HolderStep = typeof holderStep extends fc.Arbitrary<infer Step> ? Step : never;

/** A scheduler's side of one holder, a worker or a cache. */
export interface FollowedHolder {
  apply(events: KvEvents): 'current' | 'needs-snapshot';
  /** Another life of the holder has come, with nothing. */
  holderRestarted(): void;
  /** Another life of the scheduler: it knows nothing. */
  schedulerRestarted(): void;
  /** The holder's stream has ended, and it comes again with the same numbers. */
  streamEnded(): void;
  /** Blocks that it is believed to hold. */
  readonly heldBlocks: number;
  holds(block: Uint8Array): boolean;
}

/** What everybody promises who follows what a holder says that it holds. */
export function describeKvFollowing(name: string, create: () => FollowedHolder): void {
  describe(`${name}, following what is held`, () => {
    it('given lost, repeated and late events, restarts of either side and streams that end, then what it knows becomes what is held', () =>
      fc.assert(
        fc.property(fc.array(holderStep, { maxLength: 60 }), (steps) => {
          const followed = create();
          const store = follow(steps, followed);
          expect(followed.heldBlocks).toBe(store.held.size);
          for (const block of store.held.values()) expect(followed.holds(block)).toBe(true);
        }),
        { numRuns: 500 },
      ));
  });
}

/** @returns the holder after the steps, and after it said once more where its count is, as it does at the end of each report interval */
function follow(steps: readonly HolderStep[], followed: FollowedHolder): HolderStore {
  let store = new HolderStore();
  const sent: KvEvents[] = [];
  let late: KvEvents[] = [];
  const applyAll = (parts: readonly KvEvents[]) => parts.map((part) => followed.apply(part)).at(-1);
  const deliver = (events: KvEvents, snapshotFate = 'sent') => {
    sent.push(events);
    if (followed.apply(events) === 'current') return;
    const snapshot = store.snapshot();
    if (snapshotFate === 'late') late.push(...snapshot);
    else if (snapshotFate === 'sent' && applyAll(snapshot) !== 'current') throw new Error('a snapshot was not taken');
  };
  for (const { act, block, fate, snapshot } of steps) {
    if (act === 'holder-restarts') {
      store = new HolderStore();
      [sent.length, late] = [0, []];
      followed.holderRestarted();
    } else if (act === 'scheduler-restarts') {
      followed.schedulerRestarted();
    } else if (act === 'stream-ends') {
      [sent.length, late] = [0, []];
      followed.streamEnded();
    } else {
      const events = act === 'clear' ? store.clear() : store.change(block);
      if (fate === 'late') late.push(events);
      else if (fate !== 'lost') deliver(events, snapshot);
      const old = sent.at(-2);
      if (fate === 'repeated' && old !== undefined) followed.apply(old);
      if (fate === 'sent') for (const one of late.splice(0)) followed.apply(one);
    }
  }
  deliver(store.heartbeat());
  return store;
}
