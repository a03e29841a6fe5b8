import { describe, expect, it } from 'vitest';
import { syntheticTextFiles, TextModel } from '#lib/tokens';
import { EventLog } from '../../testing/event-log.js';
import { type RequestParts, requestOf } from '../../testing/requests.js';
import { SyntheticModelRunner, type SyntheticModelRunnerOptions } from '../../testing/synthetic-model-runner.js';
import type { CheckedRequest } from './generation.js';
import { violations } from './invariants.js';
import { RestingSlots } from './resting-slots.js';
import { StepLoop } from './step-loop.js';

const { table } = TextModel.load(syntheticTextFiles());
const LONG = Array.from({ length: 42 }, (_, i) => (i * 11) % 60);
const [SALT, OTHER_SALT] = [Buffer.from('a'), Buffer.from('b')];

/** A loop whose slots rest, beside a store with blocks of four tokens. */
function startLoop(options: SyntheticModelRunnerOptions = {}) {
  const log = new EventLog();
  const runner = new SyntheticModelRunner({ blockPlaces: 1_000, restsSlots: true, ...options });
  let loads = 0;
  const blocks = runner.blocks!;
  const { load } = blocks;
  blocks.load = (places, slot) => {
    loads++;
    load.call(blocks, places, slot);
  };
  const prefixes = { modelFingerprint: 'synthetic' };
  const loop = new StepLoop(
    runner,
    { table, eosTokenIds: [63] },
    { waitingGenerations: 64, prefixes, onEvent: log.listener },
  );
  const ended = loop.run();
  const run = async (parts: RequestParts) => {
    const before = { prefilled: runner.prefilledTokens, loads };
    const request = requestOf({ cacheSalt: SALT, ...parts, stop: { ignoreEos: true, maxTokens: 4, ...parts.stop } });
    loop.submit(request as CheckedRequest);
    const { usage } = await log.end(request.generationId);
    return {
      tokenIds: log.sequence(request.generationId).tokenIds,
      cached: usage?.cachedPromptTokens,
      computed: runner.prefilledTokens - before.prefilled,
      loads: loads - before.loads,
    };
  };
  const stop = async () => {
    loop.close();
    await ended;
    expect(violations(loop.snapshot())).toEqual([]);
  };
  return { loop, run, stop };
}

describe('slots at rest', () => {
  it('given a prompt seen before, and then the next turn of its chat, then what is new is computed alone and nothing is copied', async () => {
    const { loop, run, stop } = startLoop();
    const first = await run({ promptTokenIds: LONG });
    expect(await run({ promptTokenIds: LONG })).toEqual({ ...first, cached: 41, computed: 1, loads: 0 });
    const next = await run({ promptTokenIds: [...LONG, ...first.tokenIds, 7] });
    expect(next).toMatchObject({ cached: 42 + 3, computed: 2, loads: 0 }); // the last token was chosen, not computed
    expect(loop.snapshot().slots.resting).toHaveLength(1);
    await stop();

    const fresh = startLoop();
    const { tokenIds } = await fresh.run({ promptTokenIds: [...LONG, ...first.tokenIds, 7] });
    expect(next.tokenIds).toEqual(tokenIds);
    await fresh.stop();
  });

  it('given an exact runner, when a prompt comes again, then what rows computed alone is not used for what chunks compute', async () => {
    const { run, stop } = startLoop({ isExact: true });
    const first = await run({ promptTokenIds: LONG });
    expect(await run({ promptTokenIds: LONG })).toMatchObject({ tokenIds: first.tokenIds, cached: 40, computed: 2 });
    const longer = [...LONG, ...first.tokenIds, 7];
    const next = await run({ promptTokenIds: longer });
    expect(next).toMatchObject({ cached: 42, computed: 5 });
    const fresh = startLoop({ isExact: true });
    expect(next.tokenIds).toEqual((await fresh.run({ promptTokenIds: longer })).tokenIds);
    await Promise.all([stop(), fresh.stop()]);
  });

  it('given another salt, when the same prompt comes, then it is computed whole, and costs its owner nothing', async () => {
    const { run, stop } = startLoop();
    await run({ promptTokenIds: LONG });
    expect(await run({ promptTokenIds: LONG, cacheSalt: OTHER_SALT })).toMatchObject({ cached: 0, computed: 42 });
    expect(await run({ promptTokenIds: LONG })).toMatchObject({ cached: 41, computed: 1 });
    await stop();
  });

  it('given more of a prompt in the store than in the slot, then it is copied over what stands there', async () => {
    const { run, stop } = startLoop({ slots: 1 });
    const other = [...LONG.slice(0, 6), 1, 2, 3, 4];
    const first = await run({ promptTokenIds: LONG });
    await run({ promptTokenIds: other });
    expect(await run({ promptTokenIds: LONG })).toMatchObject({ tokenIds: first.tokenIds, cached: 40, loads: 1 });
    await stop();
  });

  it('given memory that runs short, then slots at rest give theirs first, the oldest before all, and blocks stay', async () => {
    const { loop, run, stop } = startLoop({ kvTotalBytes: 96, kvPageTokens: 4, contextTokens: 96 });
    await run({ promptTokenIds: LONG, stop: { maxTokens: 1 } });
    expect(loop.state()).toMatchObject({ kvUsedBytes: 0, kvCachedBytes: 40 + 44 });
    await run({ promptTokenIds: [60], stop: { maxTokens: 20 } });
    expect(loop.state()).toMatchObject({ evictedPrefixBlocks: 0, kvCachedBytes: 40 + 20 + 20 });
    expect(await run({ promptTokenIds: LONG, stop: { maxTokens: 1 } })).toMatchObject({ cached: 40, loads: 1 });
    await stop();
  });

  it('given a sequence that needs less than stood in its slot, then the rest of the memory is free again', async () => {
    const { loop, run, stop } = startLoop({ slots: 1, kvPageTokens: 4 });
    await run({ promptTokenIds: LONG, stop: { maxTokens: 40 } });
    const [long] = loop.snapshot().slots.resting;
    await run({ promptTokenIds: [60], stop: { maxTokens: 2 } });
    expect(loop.snapshot().slots.resting).toEqual([{ slot: 0, kvTokens: 4 }]);
    expect(long?.kvTokens).toBe(84);
    await stop();
  });
});

describe('RestingSlots', () => {
  const resting = new RestingSlots();
  const add = (slot: number, tokenIds: number[], salt = SALT, adapterVersion = '') =>
    resting.add({ slot, adapterVersion, salt, tokenIds, usableTokens: tokenIds.length, kvTokens: 16 });
  add(3, [1, 2, 3, 4]);
  add(1, [1, 2, 3, 4, 5, 6]);
  add(0, [1, 2, 3, 4, 5, 6], OTHER_SALT);
  const query = (tokenIds: number[], mostTokens = tokenIds.length - 1) => ({
    ...{ adapterVersion: '', salt: SALT },
    tokenIds,
    mostTokens,
  });

  it('finds the slot that a prompt uses the most of, of its own salt, among those that are free', () => {
    expect(resting.usefulFor(query([1, 2, 3, 4, 5, 6, 7]), [0, 1, 2, 3])).toBe(1);
    expect(resting.usefulFor(query([1, 2, 3, 4, 5, 6, 7]), [0, 2, 3])).toBe(3);
    expect(resting.usefulFor(query([1, 2, 3, 9]), [0, 1, 2, 3])).toBe(3);
  });

  it('finds nothing of another adapter', () => {
    add(2, [7, 8, 9], SALT, 'f00d');
    expect(resting.usefulFor(query([7, 8, 9, 1]), [2])).toBeUndefined();
    expect(resting.usefulFor({ ...query([7, 8, 9, 1]), adapterVersion: 'f00d' }, [2])).toBe(2);
    resting.take(2);
  });

  it('spares a slot of which a prompt would use half or less', () => {
    expect(resting.usefulFor(query([1, 2, 9, 9]), [0, 1, 2, 3])).toBeUndefined();
    expect(resting.usefulFor(query([1, 2, 3, 4], 2), [3])).toBeUndefined();
  });

  it('misses a slot least that does not rest, else the one at rest for the longest', () => {
    expect(resting.leastMissed([0, 1, 2, 3])).toBe(2);
    expect(resting.leastMissed([0, 1, 3])).toBe(3);
    expect(resting.leastMissed([0, 1])).toBe(1);
    expect([resting.oldest, resting.kvTokens]).toEqual([3, 48]);
  });
});
