import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KvBlocksStored, KvEvents } from '#lib/contracts';
import { nameInLayout, PrefixHashes } from '#lib/kv';
import { CacheFleet } from '../caches/cache-fleet.js';
import { selectCandidates } from '../candidates.js';
import { BlockSources } from '../forecast/block-sources.js';
import { ExpectedPrefix } from '../forecast/expected-prefix.js';
import { WorkerMirror } from '../forecast/worker-mirror.js';
import {
  emptyIndex,
  inPlaces,
  registration,
  report,
  request,
  scheduler,
  servedModel,
  workerView,
} from '../placement.test-support.js';
import type { PlacementRequest } from '../placement-request.js';
import type { PlacementStrategy } from '../placement-strategy.js';
import { seededRandom } from '../seeded-random.js';
import type { WorkerView } from '../worker-view.js';

const hash = fc
  .integer({ min: 0, max: 9 })
  .map((seed) => Uint8Array.from({ length: 16 }, (_, index) => seed * (index + 1)));
const hashes = fc.array(hash, { maxLength: 5 }).map(PrefixHashes.of);

/** A worker that has prompts to compute, and has said how long a step took. */
const mirror = fc
  .array(fc.record({ promptTokens: fc.integer({ min: 1, max: 9_000 }), prefixHashes: hashes }), { maxLength: 4 })
  .chain((prompts) =>
    fc.tuple(fc.constant(prompts), fc.nat({ max: 90_000 }), fc.double({ min: 0, max: 500, noNaN: true })),
  )
  .map(([prompts, contextTokens, durationMs]) => {
    const made = new WorkerMirror();
    for (const [index, { promptTokens, prefixHashes }] of prompts.entries()) {
      made.sent({ generationId: `p${index}`, promptTokens, prefixHashes, sentAtMs: 0, remainingTokens: promptTokens });
    }
    const load = { prefillTokens: 512, decodingSequences: 3, contextTokens, attentionPairs: 131_072 };
    const finished = { load, durationMs };
    made.report({ finished, begun: load, prompts: [], decodingSequences: 3, contextTokens, kvTokens: 400 }, 0);
    expect(made.backlog.tokens).toBeGreaterThanOrEqual(0); // added up when it is first asked for, as a step time is fitted
    return made;
  });

const utilization = fc.double({ min: 0, max: 1, noNaN: true });

const worker = fc
  .record({
    workerId: fc.string({ minLength: 1, maxLength: 6 }),
    load: fc.nat({ max: 80 }),
    isDraining: fc.boolean(),
    hasRefused: fc.boolean(),
    leasedPromptTokens: fc.nat({ max: 10_000 }),
    generationsSinceReport: fc.nat({ max: 8 }),
    mirror,
    report: fc.option(
      utilization.map((value) =>
        report({ devices: [{ index: 0, utilization: value, memoryUsedBytes: 0, memoryTotalBytes: 0, powerWatts: 0 }] }),
      ),
      { nil: undefined },
    ),
  })
  .map(({ workerId, ...about }) => workerView(workerId, about));

const workers = fc
  .uniqueArray(worker, { minLength: 1, maxLength: 12, selector: (one) => one.workerId })
  .map((all) => inPlaces(...all));

const requests = fc.array(
  fc.record({
    generationId: fc.string({ minLength: 1 }),
    tenantId: fc.constantFrom('a', 'b'),
    sessionKey: fc.oneof(fc.constant(''), fc.string({ maxLength: 4 })),
    prefixHashes: hashes,
    avoid: fc.array(fc.nat({ max: 11 }), { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 20 },
);

const SHARED_MODEL = servedModel({
  maxRunningSequences: 64,
  blockTokens: 16,
  kvBytesPerToken: 1_000,
  kvLayout: Buffer.alloc(16, 5),
});
const sharingKv = ({ workerId }: WorkerView, alwaysAsksCaches: boolean) =>
  registration(workerId, { kvTarget: `${workerId}:kv`, alwaysAsksCaches });

function cacheHolding(blocks: readonly Uint8Array[]): CacheFleet {
  const caches = new CacheFleet({ capacityBlocks: 100, timeoutMs: 5_000 });
  caches.register({ cacheId: 'cache', cacheEpoch: 1, target: 'cache:kv' }, 0);
  const value = KvBlocksStored.fromPartial({
    blockHashes: blocks.map((block) => Buffer.from(nameInLayout(block, SHARED_MODEL.kvLayout))),
  });
  const events = [{ change: { $case: 'stored' as const, value } }];
  caches.apply('cache', 1, KvEvents.fromPartial({ firstSequence: 1, events }), 0);
  return caches;
}

/** What every strategy keeps to, alone and behind the filter. */
export function describePlacementStrategy(name: string, create: () => PlacementStrategy): void {
  describe(`${name} as a placement strategy`, () => {
    const choose = (strategy: PlacementStrategy, asked: PlacementRequest, fleet: readonly WorkerView[]) => {
      const { candidates } = selectCandidates(asked, fleet, new Set());
      const prefixes = emptyIndex();
      for (const one of asked.prefixHashes.toArray()) prefixes.stored(fleet[one[0]! % fleet.length]!.workerId, one);
      const prefix = new ExpectedPrefix(asked, fleet, prefixes);
      const context = { nowMs: 0, random: seededRandom(1), workers: fleet, prefix };
      return candidates.length === 0 ? undefined : strategy.choose(asked, candidates, context);
    };
    const asked = (
      fleet: readonly WorkerView[],
      { avoid, ...about }: { avoid: number[] } & Partial<PlacementRequest>,
    ) => request({ ...about, avoidWorkerIds: avoid.map((index) => fleet[index % fleet.length]!.workerId) });

    it('has the name it is asked for by', () => expect(create().name).toBe(name));

    it('chooses a worker that has room, never a draining one, and an avoided one only when there is no other', () =>
      fc.assert(
        fc.property(workers, requests, (fleet, all) => {
          const strategy = create();
          for (const one of all) {
            const placeable = asked(fleet, one);
            const choice = choose(strategy, placeable, fleet);
            const taking = fleet.filter((candidate) => !candidate.isDraining);
            const chosen = fleet.find((candidate) => candidate.workerId === choice?.workerId);
            if (chosen === undefined) continue;
            expect(chosen.isDraining || chosen.hasRefused).toBe(false);
            expect(chosen.load).toBeLessThan(chosen.sequenceLimit);
            const isAvoided = (candidate: WorkerView) => placeable.avoidWorkerIds.includes(candidate.workerId);
            expect(isAvoided(chosen) && taking.some((candidate) => !isAvoided(candidate))).toBe(false);
          }
        }),
      ));

    it('chooses equally in equal order, and changes none of its inputs', () =>
      fc.assert(
        fc.property(workers, requests, (fleet, all) => {
          const placeable = all.map((one) => asked(fleet, one));
          const before = structuredClone({ fleet, placeable });
          const choicesOf = (strategy: PlacementStrategy) =>
            placeable.map((one) => choose(strategy, one, fleet)?.workerId);
          expect(choicesOf(create())).toEqual(choicesOf(create()));
          expect(structuredClone({ fleet, placeable })).toEqual(before); // a clone of buffers are bytes
        }),
      ));

    it('explains every candidate by the same terms, in finite numbers', () =>
      fc.assert(
        fc.property(workers, requests, (fleet, all) => {
          const placeable = asked(fleet, all[0]!);
          const { candidates } = selectCandidates(placeable, fleet, new Set());
          const choice = choose(create(), placeable, fleet);
          if (choice === undefined) return;
          const explained = candidates.map(({ workerId }) => choice.terms.get(workerId) ?? {});
          expect(explained.flatMap(Object.values).every(Number.isFinite)).toBe(true);
          const names = explained.map((terms) => Object.keys(terms).sort().join());
          expect(new Set(names).size).toBe(1);
          expect(names[0]).not.toBe('');
        }),
      ));

    it('has a worker fetch nothing, or what follows on its own blocks, from those that hold it; caches are asked and never chosen', () =>
      fc.assert(
        fc.property(workers, requests, fc.array(hash), fc.boolean(), (fleet, all, cached, alwaysAsksCaches) => {
          const strategy = create();
          const sharing = fleet.map((one) => ({
            ...one,
            model: SHARED_MODEL,
            registration: sharingKv(one, alwaysAsksCaches),
          }));
          const placeable = asked(sharing, { ...all[0]!, promptTokens: 100 });
          const { candidates } = selectCandidates(placeable, sharing, new Set());
          if (candidates.length === 0) return;
          const prefixes = emptyIndex();
          for (const one of placeable.prefixHashes.toArray())
            prefixes.stored(sharing[one[1]! % sharing.length]!.workerId, one);
          const caches = cacheHolding(cached);
          const prefix = new ExpectedPrefix(placeable, sharing, prefixes);
          const sources = strategy.fetchesBlocks ? BlockSources.among(placeable, prefix, caches, 0) : undefined;
          const context = { nowMs: 0, random: seededRandom(1), workers: sharing, prefix, sources };
          const { workerId, fetch: given } = strategy.choose(placeable, candidates, context);
          const fetch = given && { ...given }; // as it was before another worker is asked about
          const chosen = candidates.find((one) => one.workerId === workerId);
          expect(chosen).toBeDefined();
          const options = sources?.optionsFor(chosen!) ?? [];
          if (fetch === undefined) {
            expect(options.some(({ isCertain }) => isCertain)).toBe(false);
            return;
          }
          expect(options).toContainEqual(fetch);
          let next = prefix.of(chosen!).blocks;
          for (const { firstBlock, endBlock, holderId } of fetch.parts) {
            expect(firstBlock).toBe(next);
            expect(endBlock).toBeGreaterThan(firstBlock);
            const holders = fetch.from === 'worker' ? sharing.map((one) => one.workerId) : ['cache'];
            expect(holders).toContain(holderId);
            next = endBlock;
          }
          expect(next).toBe(fetch.blocks);
        }),
      ));

    it('uses every worker of an idle fleet in the end, and counts what it just sent', () => {
      const { fleet, queue } = scheduler(create());
      for (let index = 0; index < 5; index++) fleet.register(registration(`w${index}`), 0);
      for (let index = 0; index < 20; index++) queue.enqueue(request(), 1_000, 0);
      expect(fleet.snapshot().map(({ leases }) => leases)).toEqual([4, 4, 4, 4, 4]);
      expect(queue.waitingCount).toBe(0);
    });
  });
}
