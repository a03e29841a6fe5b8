import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashBlocks, PrefixHashes, prefixSeed } from '#lib/kv';
import { inPlaces, nothingHeld, request, workerView } from '../placement.test-support.js';
import type { PlacementRequest } from '../placement-request.js';
import { seededRandom } from '../seeded-random.js';
import type { WorkerView } from '../worker-view.js';
import { ConsistentHashStrategy } from './consistent-hash.js';
import { PrefixAnchors } from './prefix-anchors.js';

const seed = prefixSeed({ modelFingerprint: 'f', adapterVersion: '', salt: '' });
const blocks = (...ids: number[]) => PrefixHashes.of(hashBlocks(ids, 1, seed));
const range = (start: number, count: number) => Array.from({ length: count }, (_, index) => start + index);
const fleetOf = (size: number) => range(0, size).map((index) => workerView(`worker-${index}`));
const keys = range(0, 4_000).map((index) => ({ sessionKey: `session-${index}` }));

function choose(strategy: ConsistentHashStrategy, about: Partial<PlacementRequest>, given: WorkerView[]) {
  const workers = inPlaces(...given);
  const asked = request(about);
  const context = { nowMs: 0, random: seededRandom(1), workers, prefix: nothingHeld(asked, workers) };
  return strategy.choose(asked, workers, context).workerId;
}

describe('consistent-hash', () => {
  const strategy = new ConsistentHashStrategy({ loadFactor: 1.25 });

  it('spreads keys evenly, and a worker that joins takes about 1/n of the keys, all for itself', () =>
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 24 }), (size) => {
        const before = fleetOf(size);
        const after = [...before, workerView('newcomer')];
        const counts = new Map<string, number>();
        let movedCount = 0;
        for (const key of keys) {
          const old = choose(strategy, key, before);
          const now = choose(strategy, key, after);
          counts.set(old, (counts.get(old) ?? 0) + 1);
          if (now === old) continue;
          expect(now).toBe('newcomer');
          movedCount++;
        }
        const share = keys.length / (size + 1);
        // Five standard deviations of a fair draw.
        expect(Math.abs(movedCount - share)).toBeLessThan(5 * Math.sqrt(share));
        const fair = keys.length / size;
        for (const count of counts.values()) expect(Math.abs(count - fair)).toBeLessThan(5 * Math.sqrt(fair));
      }),
      { numRuns: 12 },
    ));

  it('keeps tenants with equal session keys apart', () => {
    const fleet = fleetOf(64);
    const chosen = range(0, 8).map((tenant) => choose(strategy, { tenantId: `t${tenant}`, sessionKey: 's' }, fleet));
    expect(new Set(chosen).size).toBeGreaterThan(4);
  });

  it('given one hot key, then no worker gets more than the factor times the mean, rounded up', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.double({ min: 1, max: 3, noNaN: true }),
        fc.nat(60),
        (size, loadFactor, sent) => {
          const bounded = new ConsistentHashStrategy({ loadFactor });
          const loads = new Map(fleetOf(size).map(({ workerId }) => [workerId, 0]));
          for (let index = 0; index < sent; index++) {
            const workers = [...loads].map(([workerId, load]) => workerView(workerId, { load }));
            const chosen = choose(bounded, { sessionKey: 'hot' }, workers);
            loads.set(chosen, loads.get(chosen)! + 1);
          }
          expect(Math.max(...loads.values())).toBeLessThanOrEqual(Math.ceil((loadFactor * Math.max(1, sent)) / size));
        },
      ),
    ));

  it('keeps a growing conversation on its worker without a session key', () => {
    const fleet = fleetOf(16);
    for (let conversation = 0; conversation < 50; conversation++) {
      const turns = range(1, 6).map((turn) => blocks(7, 7, ...range(1_000 * (conversation + 1), 3 * turn)));
      expect(new Set(turns.map((prefixHashes) => choose(strategy, { prefixHashes }, fleet))).size).toBe(1);
    }
  });

  it('spreads conversations that begin with the same template', () => {
    const fresh = new ConsistentHashStrategy({ loadFactor: 1.25 });
    const fleet = fleetOf(8);
    const template = range(0, 20);
    const chosen = range(0, 400).map((one) => choose(fresh, { prefixHashes: blocks(...template, 5_000 + one) }, fleet));
    const counts = fleet.map(({ workerId }) => chosen.filter((id) => id === workerId).length);
    expect(Math.max(...counts)).toBeLessThan(100);
    expect(Math.min(...counts)).toBeGreaterThan(20);
  });

  it('keeps a few questions about one long text together', () => {
    const fleet = fleetOf(8);
    const text = range(90_000, 30);
    const chosen = range(0, 5).map((question) => choose(strategy, { prefixHashes: blocks(...text, question) }, fleet));
    expect(new Set(chosen).size).toBe(1);
  });
});

describe('PrefixAnchors', () => {
  it('given any chains, then it never remembers more blocks than it may', () =>
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }), { maxLength: 40 }), (chains) => {
        const anchors = new PrefixAnchors(16);
        for (const chain of chains) {
          anchors.anchorOf(blocks(...chain));
          expect(anchors.size).toBeLessThanOrEqual(16);
        }
      }),
    ));

  it('gives one prompt the same anchor again and again', () =>
    fc.assert(
      fc.property(fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }), (chain) => {
        const anchors = new PrefixAnchors(1_000);
        const first = anchors.anchorOf(blocks(...chain));
        expect([anchors.anchorOf(blocks(...chain)), anchors.anchorOf(blocks(...chain, 9))]).toEqual([first, first]);
      }),
    ));

  it('given prompts behind a long template, then each conversation keeps its anchor while it grows turn by turn', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 40, max: 600 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 }),
        (templateBlocks, turns) => {
          const anchors = new PrefixAnchors(100_000);
          const template = range(0, templateBlocks);
          for (let one = 0; one < 10; one++) anchors.anchorOf(blocks(...template, 50_000 + one));
          const found = [1, 2].map((conversation) => {
            let length = 0;
            const ofTurns = turns.map((added) => {
              length += added;
              return anchors.anchorOf(blocks(...template, ...range(100_000 * conversation, length)));
            });
            expect(new Set(ofTurns).size).toBe(1);
            return ofTurns[0];
          });
          expect(found[0]).not.toBe(found[1]);
        },
      ),
      { numRuns: 40 },
    ));

  it('given the longest prompt, then it looks at a bounded number of blocks', () => {
    const read = new Set<number>();
    class CountedHashes extends PrefixHashes {
      override word(block: number, at: number): number {
        read.add(block);
        return super.word(block, at);
      }
    }
    new PrefixAnchors(100_000).anchorOf(new CountedHashes(blocks(...range(0, 4_096)).bytes));
    expect(read.size).toBe(208);
    expect(read.has(4_095)).toBe(true);
  });
});
