import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KvIndex } from './kv-index.js';

/** Few distinct homes, so that runs of taken slots are long and wrap round the end of the table. */
const hash = fc
  .nat({ max: 40 })
  .map((seed) =>
    Uint8Array.from({ length: 16 }, (_, index) => (index === 7 ? 250 + (seed % 9) : index === 0 ? seed : 0)),
  );
const workerId = fc.nat({ max: 40 }).map((number) => `w${number}`);
const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('stored' as const), workerId, hash }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('removed' as const), workerId, hash }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('left' as const), workerId, hash }) },
);

describe('KvIndex', () => {
  it('given any events, then it knows what the workers hold, and nothing else', () =>
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), fc.array(hash, { maxLength: 6 }), (events, prompt) => {
        const index = new KvIndex({ capacityBlocks: 64, capacityWorkers: 41 });
        const truth = new Map<string, Set<string>>();
        for (const { kind, workerId: id, hash: block } of events) {
          const held = truth.get(id) ?? new Set<string>();
          truth.set(id, held);
          if (kind === 'stored') index.stored(id, block);
          else if (kind === 'removed') index.removed(id, block);
          else index.removeWorker(id);
          if (kind === 'stored') held.add(`${block}`);
          else if (kind === 'removed') held.delete(`${block}`);
          else held.clear();
        }
        expect(index.size).toBe(new Set([...truth.values()].flatMap((held) => [...held])).size);
        const ids = [...truth.keys(), 'nobody'];
        for (const block of prompt) {
          const held = ids.map((id) => (truth.get(id)?.has(`${block}`) ? 1 : 0));
          expect([...index.leadingBlocks([block], ids)]).toEqual(held);
        }
      }),
    ));

  it('given more blocks or workers than it may remember, then it says so and forgets none it knows', () => {
    const index = new KvIndex({ capacityBlocks: 8, capacityWorkers: 1 });
    const blocks = Array.from({ length: 10 }, (_, number) => Uint8Array.from({ length: 16 }, () => number + 1));
    for (const block of blocks) index.stored('a', block);
    index.stored('b', blocks[0]!);
    expect([index.size, index.refused]).toEqual([8, 3]);
    expect([...index.leadingBlocks(blocks, ['a', 'b'])]).toEqual([8, 0]);
    index.removeWorker('a');
    index.stored('b', blocks[0]!);
    expect([index.size, ...index.leadingBlocks(blocks, ['b'])]).toEqual([1, 1]);
  });
});
