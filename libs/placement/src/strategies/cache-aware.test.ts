import { describe, expect, it } from 'vitest';
import { PrefixHashes } from '#lib/kv';
import { createStrategy, DEFAULT_STRATEGY_OPTIONS } from '../create-strategy.js';
import { ExpectedPrefix } from '../forecast/expected-prefix.js';
import { WorkerMirror } from '../forecast/worker-mirror.js';
import {
  emptyIndex,
  inPlaces,
  nothingHeld,
  registration,
  report,
  request,
  servedModel,
  workerView,
} from '../placement.test-support.js';
import type { PlacementRequest } from '../placement-request.js';
import type { PlacementStrategy } from '../placement-strategy.js';
import { seededRandom } from '../seeded-random.js';
import type { WorkerView } from '../worker-view.js';

const BLOCK_TOKENS = 512;
const model = servedModel({ blockTokens: BLOCK_TOKENS, contextTokens: 100_000, stepTokenBudget: 2_048 });
const hashes = (...numbers: number[]) =>
  numbers.map((number) => Uint8Array.from({ length: 16 }, (_, index) => number * (index + 3)));
const prompt = hashes(1, 2, 3, 4, 5, 6, 7, 8);
const asked = request({ promptTokens: 8 * BLOCK_TOKENS, prefixHashes: PrefixHashes.of(prompt) });

/** A worker with this many prompt tokens to compute, of a prompt that begins with these blocks. */
function worker(
  workerId: string,
  pendingTokens = 0,
  begins: Uint8Array[] = [],
  about: Partial<WorkerView> = {},
): WorkerView {
  const mirror = new WorkerMirror();
  const prefixHashes = PrefixHashes.of(begins);
  if (pendingTokens > 0) {
    mirror.sent({
      generationId: workerId,
      promptTokens: pendingTokens,
      prefixHashes,
      sentAtMs: 0,
      remainingTokens: pendingTokens,
    });
  }
  return workerView(workerId, { model, mirror, ...about });
}

/** @param held  blocks that worker `warm` holds */
function choose(
  strategy: PlacementStrategy,
  given: WorkerView[],
  held = prompt,
  about: Partial<PlacementRequest> = {},
) {
  const workers = inPlaces(...given);
  const prefixes = emptyIndex();
  for (const hash of held) prefixes.stored('warm', hash);
  const placeable = { ...asked, ...about };
  const prefix = new ExpectedPrefix(placeable, workers, prefixes);
  return strategy.choose(placeable, workers, { nowMs: 0, random: seededRandom(1), workers, prefix });
}

describe('predicted-ttft', () => {
  const create = () => createStrategy('predicted-ttft', DEFAULT_STRATEGY_OPTIONS);

  it('goes to the cached prefix, until waiting for it costs more than computing it again', () => {
    expect(choose(create(), [worker('cold'), worker('warm')]).workerId).toBe('warm');
    expect(choose(create(), [worker('cold'), worker('warm', 500)]).workerId).toBe('warm');
    expect(choose(create(), [worker('cold'), worker('warm', 60_000)]).workerId).toBe('cold');
  });

  it('counts a prefix that is on its way into a cache', () => {
    expect(choose(create(), [worker('cold', 4_096), worker('other', 4_096, prompt)], []).workerId).toBe('other');
  });

  it('holds on to cached prefixes longer where more prompts follow before a worker is through', () => {
    const waits = [worker('cold'), worker('warm', 60_000)];
    expect(choose(create(), waits).workerId).toBe('cold');
    const strategy = create();
    for (let each = 0; each < 100; each++) choose(strategy, [worker('other', 1)], []); // it is never through
    expect(choose(strategy, waits).workerId).toBe('warm');
  });

  it('given workers that are equally free, then a new prompt keeps away from the one whose cache spares most work', () => {
    const strategy = create();
    const workers = [worker('cold'), worker('warm')];
    for (let each = 0; each < 6; each++) expect(choose(strategy, workers).workerId).toBe('warm');
    const fresh = { prefixHashes: PrefixHashes.of(hashes(21, 22, 23, 24, 25, 26, 27, 28)) };
    for (let each = 0; each < 4; each++) {
      const { workerId, terms } = choose(strategy, workers, prompt, fresh);
      expect(workerId).toBe('cold');
      expect(terms.get('warm')).toMatchObject({ demand: expect.any(Number) });
      expect(Number(terms.get('warm')?.['demand'])).toBeGreaterThan(Number(terms.get('cold')?.['demand']));
    }
  });

  it('given prompts that are found again and again, then what a new one pushes out costs no more than to compute it once', () => {
    const strategy = create();
    const staying = (workerId: string, retentionMs: number) => {
      const made = worker(workerId);
      made.mirror.retentionMs = () => retentionMs;
      return made;
    };
    const workers = [staying('cold', 1), staying('warm', 10_000)];
    for (let each = 0; each < 200; each++) choose(strategy, workers);
    const fresh = { prefixHashes: PrefixHashes.of(hashes(21, 22, 23, 24, 25, 26, 27, 28)) };
    const { terms } = choose(strategy, workers, prompt, fresh);
    const [cold, warm] = ['cold', 'warm'].map((id) => terms.get(id) as Record<string, number>);
    const once = ({ price, workMs }: Record<string, number>) => (1 + price!) * workMs!;
    expect(cold!['evictionMs']).toBeCloseTo(once(cold!), 6); // what is pushed out there was used a moment ago
    expect(warm!['evictionMs']).toBeLessThan(0.1 * once(warm!));
    expect(warm!['evictionMs']).toBeGreaterThan(0);
  });

  it('explains its choice in terms that add up', () => {
    const { terms } = choose(create(), [worker('cold', 700), worker('warm', 900)]);
    for (const workerId of ['cold', 'warm']) {
      const one = terms.get(workerId) as Record<string, number>;
      const { ttftMs, loadMs, delayMs, evictionMs, decodeMs, costMs, stepMs, queueMs, prefillMs } = one;
      expect(ttftMs! + loadMs! + delayMs! + evictionMs! + decodeMs!).toBeCloseTo(costMs!, 9);
      expect(stepMs! + queueMs! + prefillMs!).toBeCloseTo(ttftMs!, 9);
    }
    expect(terms.get('warm')).toMatchObject({ cachedBlocks: 8, cachedTokens: 8 * BLOCK_TOKENS - 1 });
    expect(terms.get('gone')).toBeUndefined();
  });
});

describe('prefix-aware', () => {
  const create = () => createStrategy('prefix-aware', DEFAULT_STRATEGY_OPTIONS);

  it('goes to the longest prefix among those without more than their share', () => {
    expect(choose(create(), [worker('cold'), worker('warm', 0, [], { load: 1 })]).workerId).toBe('warm');
    expect(choose(create(), [worker('cold'), worker('warm', 0, [], { load: 9 })]).workerId).toBe('cold');
  });

  it('goes by load where nobody holds anything', () => {
    expect(choose(create(), [worker('a', 0, [], { load: 1 }), worker('b')], []).workerId).toBe('b');
  });
});

describe('adapter-affinity', () => {
  const create = () => createStrategy('adapter-affinity', DEFAULT_STRATEGY_OPTIONS);
  const fleet = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => worker(id));

  it('keeps each adapter on a worker of its own, and spreads it when that one has its share', () => {
    const strategy = create();
    const homeOf = (adapterId: string) => choose(strategy, fleet, [], { adapterId }).workerId;
    const homes = Array.from({ length: 24 }, (_, index) => homeOf(`adapter-${index}`));
    expect(new Set(homes).size).toBeGreaterThan(3);
    expect(Array.from({ length: 24 }, (_, index) => homeOf(`adapter-${index}`))).toEqual(homes);
    const crowded = fleet.map((one) => (one.workerId === homes[0] ? { ...one, load: 20 } : one));
    expect(choose(strategy, crowded, [], { adapterId: 'adapter-0' }).workerId).not.toBe(homes[0]);
  });

  it('sends requests for the base model where they disturb no adapter', () => {
    const adapters = [{ adapterId: 'x', modelId: 'm', version: '', path: '', rank: 8 }];
    const withAdapter = { registration: registration('a', { adapters: adapters as never }) };
    expect(choose(create(), [worker('a', 0, [], withAdapter), worker('b')], []).workerId).toBe('b');
  });
});

describe('weighted', () => {
  const create = (about: Partial<(typeof DEFAULT_STRATEGY_OPTIONS)['weighted']>) =>
    createStrategy('weighted', {
      ...DEFAULT_STRATEGY_OPTIONS,
      weighted: { ...DEFAULT_STRATEGY_OPTIONS.weighted, ...about },
    });
  const only = (name: 'prefix' | 'pending' | 'load' | 'kv') => ({ prefix: 0, pending: 0, load: 0, kv: 0, [name]: 1 });

  it.each([
    ['prefix', worker('warm'), worker('a')],
    [
      'pending',
      worker('b', 0, [], { report: report({ pendingPrefillTokens: 5 }) }),
      worker('a', 0, [], { report: report({ pendingPrefillTokens: 9 }) }),
    ],
    ['load', worker('b', 0, [], { sequences: 2 }), worker('a', 0, [], { sequences: 3 })],
    ['kv', worker('b', 0, [], { leasedKvTokens: 10 }), worker('a', 0, [], { leasedKvTokens: 20 })],
  ] as const)('by %s alone prefers the better one', (name, better, worse) => {
    expect(choose(create({ weights: only(name) }), [worse, better]).workerId).toBe(better.workerId);
  });

  it('leaves out who has more than the factor of the mean load, whatever the score', () => {
    const crowded = [worker('a'), worker('warm', 0, [], { load: 9 })];
    expect(choose(create({ weights: only('prefix') }), crowded).workerId).toBe('a');
    expect(choose(create({ weights: only('prefix'), loadFactor: 0 }), crowded).workerId).toBe('warm');
  });

  it('picks in proportion to the scores when asked to', () => {
    const strategy = create({ weights: only('load'), pick: 'proportional' });
    const workers = inPlaces(worker('a', 0, [], { sequences: 16 }), worker('b', 0, [], { sequences: 48 }));
    const random = seededRandom(7);
    const context = { nowMs: 0, random, workers, prefix: nothingHeld(asked, workers) };
    const chosen = Array.from({ length: 2_000 }, () => strategy.choose(asked, workers, context).workerId);
    const share = chosen.filter((id) => id === 'a').length / chosen.length;
    expect(share).toBeGreaterThan(0.7);
    expect(share).toBeLessThan(0.8);
  });
});
