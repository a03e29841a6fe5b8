import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixHashes } from '#lib/kv';
import { KvIndex } from './kv-index.js';

/** Few distinct homes, so that runs of taken slots are long and wrap round the end of the table. */
const hash = fc
  .nat({ max: 40 })
  .map((seed) =>
    Uint8Array.from({ length: 16 }, (_, index) => (index === 7 ? 250 + (seed % 9) : index === 0 ? seed : 0)),
  );
const EVERYBODY = Array.from({ length: 41 }, (_, number) => `w${number}`);
const workerId = fc.constantFrom(...EVERYBODY);
const listOf = (...workerIds: string[]) => workerIds.map((workerId) => ({ workerId }));
const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('stored' as const), workerId, hash }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('removed' as const), workerId, hash }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('left' as const), workerId, hash }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('swept' as const), workerId, hash }) },
);

describe('KvIndex', () => {
  it('given any events, then it knows what the workers hold, and nothing else', () =>
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), fc.array(hash, { maxLength: 6 }), (events, prompt) => {
        const index = new KvIndex({ capacityBlocks: 64, capacityWorkers: 41 });
        const truth = new Map<string, Set<string>>();
        const holders = listOf(...EVERYBODY, 'nobody');
        const expectTruth = () => {
          for (const block of prompt) {
            const held = holders.map((one) => (truth.get(one.workerId)?.has(`${block}`) ? 1 : 0));
            expect([...index.leadingBlocks(PrefixHashes.of([block]), holders)]).toEqual(held);
          }
        };
        for (const { kind, workerId: id, hash: block } of events) {
          const held = truth.get(id) ?? new Set<string>();
          truth.set(id, held);
          if (kind === 'stored') {
            index.stored(id, block);
            held.add(`${block}`);
          } else if (kind === 'removed') {
            index.removed(id, block);
            held.delete(`${block}`);
          } else if (kind === 'left') {
            index.removeWorker(id);
            held.clear();
          } else index.sweep(120 + (block[0]! % 9)); // of 128 slots: into the run of taken ones
          expectTruth();
        }
        while (index.sweep(10));
        expectTruth();
        expect(index.size).toBe(new Set([...truth.values()].flatMap((held) => [...held])).size);
      }),
    ));

  it('given more blocks or workers than it may remember, then it says so and forgets none it knows', () => {
    const index = new KvIndex({ capacityBlocks: 8, capacityWorkers: 1 });
    const blocks = Array.from({ length: 10 }, (_, number) => Uint8Array.from({ length: 16 }, () => number + 1));
    for (const block of blocks) index.stored('a', block);
    index.stored('b', blocks[0]!);
    expect([index.size, index.refused]).toEqual([8, 3]);
    expect([...index.leadingBlocks(PrefixHashes.of(blocks), listOf('a', 'b'))]).toEqual([8, 0]);
    index.removeWorker('a');
    index.stored('b', blocks[0]!); // what is left of a is in the way, and goes at once
    expect([index.size, ...index.leadingBlocks(PrefixHashes.of(blocks), listOf('b'))]).toEqual([1, 1]);
  });

  it('given workers that leave, then each sweep clears a part, and what they had is free after the last', () => {
    const index = new KvIndex({ capacityBlocks: 60, capacityWorkers: 3 }); // 128 slots
    const blocks = Array.from({ length: 60 }, (_, number) => Uint8Array.from({ length: 16 }, () => 4 * number + 1));
    for (const block of blocks) for (const id of ['a', 'b']) index.stored(id, block);
    index.stored('c', blocks[0]!);
    index.removeWorker('a');
    expect(index.sweep(64)).toBe(true);
    index.removeWorker('b'); // half of the table has b's bits and is swept already
    expect([...index.leadingBlocks(PrefixHashes.of(blocks), listOf('a', 'b', 'c'))]).toEqual([0, 0, 1]);
    let sweeps = 0;
    while (index.sweep(64)) sweeps++;
    expect(sweeps).toBe(2);
    expect([index.size, index.needsSweep]).toEqual([1, false]);
    for (const id of ['d', 'e', 'f']) index.stored(id, blocks[1]!);
    expect([index.refused, ...index.leadingBlocks(PrefixHashes.of([blocks[1]!]), listOf('d', 'e', 'f'))]).toEqual([
      1, 1, 1, 0,
    ]);
  });

  it('given a block that moves back to where was swept already, then it is swept all the same', () => {
    const index = new KvIndex({ capacityBlocks: 60, capacityWorkers: 2 });
    const [first, second] = [1, 2].map((seed) => Uint8Array.from({ length: 16 }, (_, at) => (at === 7 ? 10 : seed)));
    index.stored('here', first!);
    index.stored('gone', second!); // in slot 11, as 10 is taken
    index.removeWorker('gone');
    expect(index.sweep(11)).toBe(true);
    index.removed('here', first!);
    while (index.sweep(11));
    index.stored('new', first!); // has the bit of the one that left
    expect([index.size, ...index.leadingBlocks(PrefixHashes.of([second!]), listOf('here', 'new'))]).toEqual([1, 0, 0]);
  });
});
