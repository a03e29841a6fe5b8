import { describe, expect, it } from 'vitest';
import { FailureCode, FinishReason, type GenerationRequest } from '#lib/contracts';
import { type CachedBlock, createEviction } from '#lib/kv';
import { syntheticTextFiles, TextModel } from '#lib/tokens';
import { EventLog } from '../../testing/event-log.js';
import { type RequestParts, requestOf } from '../../testing/requests.js';
import { SyntheticModelRunner, type SyntheticModelRunnerOptions } from '../../testing/synthetic-model-runner.js';
import type { CheckedRequest } from './generation.js';
import { violations } from './invariants.js';
import { StepLoop } from './step-loop.js';

const { table } = TextModel.load(syntheticTextFiles());
const BLOCK_TOKENS = 4;
const LONG = Array.from({ length: 42 }, (_, i) => (i * 11) % 60);

const hashOf = ({ hash }: CachedBlock) => hash;

/** A loop that keeps prefixes in blocks of four tokens, and what each request took of it. */
function startLoop(options: SyntheticModelRunnerOptions = {}, policy = createEviction('lru', hashOf)) {
  const log = new EventLog();
  const runner = new SyntheticModelRunner({ blockPlaces: 1_000, blockTokens: BLOCK_TOKENS, ...options });
  const loop = new StepLoop(
    runner,
    { table, eosTokenIds: [63] },
    { waitingGenerations: 64, prefixes: { modelFingerprint: 'synthetic', policy }, onEvent: log.listener },
  );
  const ended = loop.run();
  const submit = (parts: RequestParts): GenerationRequest => {
    const request = requestOf(parts);
    loop.submit(request as CheckedRequest);
    return request;
  };
  const run = async (parts: RequestParts) => {
    const before = runner.prefilledTokens;
    const { generationId } = submit(parts);
    const { usage, failure } = await log.end(generationId);
    const { tokenIds } = log.sequence(generationId);
    return { tokenIds, failure, cached: usage?.cachedPromptTokens, computed: runner.prefilledTokens - before };
  };
  const stop = async () => {
    loop.close();
    await ended;
    loop.failAll('over');
    expect(violations(loop.snapshot())).toEqual([]);
  };
  return { loop, log, runner, submit, run, stop };
}

/** What the same request gives where nothing is kept. */
async function withoutStore(parts: RequestParts, options: SyntheticModelRunnerOptions = {}): Promise<number[]> {
  const { run, stop } = startLoop({ ...options, blockPlaces: 0 });
  const { tokenIds } = await run(parts);
  await stop();
  return tokenIds;
}

/** Its prompts and outputs are exact: how each position was computed shows in its logits. */
const EXACT = { isExact: true, endPlaces: 100, chunkTokens: 16, kvTotalBytes: 2_000 };

describe('prefixes', () => {
  it('given a chat, when each turn repeats all before it, then its new tokens alone are computed', async () => {
    const { run, stop } = startLoop();
    let chat = [1, 2, 3, 4, 5];
    for (let turn = 0; turn < 4; turn++) {
      const { tokenIds, cached, computed } = await run({ promptTokenIds: chat, stop: { maxTokens: 7 } });
      expect(tokenIds).toEqual(await withoutStore({ promptTokenIds: chat, stop: { maxTokens: 7 } }));
      // the last token of an answer was never computed; a block that is not full is not kept
      const held = turn === 0 ? 0 : Math.floor((chat.length - 4) / BLOCK_TOKENS) * BLOCK_TOKENS;
      expect([cached, computed]).toEqual([held, chat.length - held]);
      chat = [...chat, ...tokenIds, 7, 8, 9];
    }
    await stop();
  });

  it('given a prompt of whole blocks that is held, when it comes again, then its last token is computed all the same', async () => {
    const { run, stop } = startLoop();
    const promptTokenIds = LONG.slice(0, 16);
    const first = await run({ promptTokenIds });
    const second = await run({ promptTokenIds });
    expect([second.cached, second.computed]).toEqual([12, 4]);
    expect(second.tokenIds).toEqual(first.tokenIds);
    await stop();
  });

  it('given a prompt that runs, when another with the same beginning comes before it ends, then it is spared that already', async () => {
    const { log, submit, run, stop } = startLoop();
    const { generationId } = submit({ promptTokenIds: LONG, initialCredit: 2, stop: { maxTokens: 20 } });
    await log.until(() => log.sequence(generationId).tokenIds.length === 2);
    expect((await run({ promptTokenIds: [...LONG.slice(0, 30), 1] })).cached).toBe(28);
    await stop();
  });

  it('given two salts, when the same prompt comes under both, then each has the work and the tokens of a first time', async () => {
    const { run, stop } = startLoop();
    const under = (salt: string) => run({ promptTokenIds: LONG, cacheSalt: Buffer.from(salt) });
    const alone = await under('a');
    expect(await under('b')).toEqual(alone);
    expect(alone.computed).toBe(LONG.length);
    // what one has makes the other no faster, and no slower
    expect((await under('a')).computed).toBe(2);
    expect((await under('b')).computed).toBe(2);
    expect((await under('')).computed).toBe(LONG.length);
    await stop();
  });

  it('given n, when the prompt is held, then one sequence takes it from the store and the others from that one', async () => {
    const { loop, log, runner, run, submit, stop } = startLoop({ slots: 4 });
    await run({ promptTokenIds: LONG });
    const before = { tokens: runner.prefilledTokens, asked: loop.state().queriedPromptTokens };
    const sampling = { temperature: 1, seed: 3 };
    const { generationId } = submit({ promptTokenIds: LONG, sequenceCount: 4, sampling });
    const { usage } = await log.end(generationId);
    expect(usage?.cachedPromptTokens).toBe(40);
    expect(runner.prefilledTokens - before.tokens).toBe(2);
    expect(loop.state().queriedPromptTokens - before.asked).toBe(LONG.length);
    expect(log.sequence(generationId).tokenIds).toEqual(await withoutStore({ promptTokenIds: LONG, sampling }));
    await stop();
  });

  it('given log-probabilities of the prompt, when it is held, then it is not looked for and all of it is computed', async () => {
    const { loop, run, stop } = startLoop();
    await run({ promptTokenIds: LONG });
    const { cached, computed } = await run({ promptTokenIds: LONG, sampling: { reportPromptLogprobs: true } });
    expect([cached, computed]).toEqual([0, LONG.length]);
    expect(loop.state().queriedPromptTokens).toBe(LONG.length); // of the first: the second has not been looked for
    await stop();
  });

  it('given a sequence that is cancelled, when it had tokens, then what it computed is kept, else nothing is', async () => {
    const { loop, log, submit, run, stop } = startLoop();
    const { generationId } = submit({ promptTokenIds: LONG, initialCredit: 6, stop: { maxTokens: 50 } });
    await log.until(() => log.sequence(generationId).tokenIds.length === 6);
    loop.cancel(generationId);
    await log.end(generationId);
    const { tokenIds, finishReason } = log.sequence(generationId);
    expect(finishReason).toBe(FinishReason.CANCELLED);
    expect((await run({ promptTokenIds: [...LONG, ...tokenIds] })).cached).toBe(44);

    const other = LONG.map((id) => 59 - id);
    let runs = 0;
    const fresh = startLoop({ chunkTokens: 8, onRun: () => void runs++ });
    const early = fresh.submit({ promptTokenIds: other });
    while (runs < 3) await new Promise((resolve) => setImmediate(resolve)); // three of six chunks
    fresh.loop.cancel(early.generationId);
    await fresh.log.end(early.generationId);
    expect(fresh.log.sequence(early.generationId).tokenIds).toEqual([]);
    expect(fresh.log.cachedHashes.size).toBe(0);
    await Promise.all([stop(), fresh.stop()]);
  });

  it('given logits that are not numbers, when the generation fails, then only what a token came after is kept', async () => {
    const { runner, log, run, stop } = startLoop({ endPlaces: 10 });
    const { prefill } = runner;
    runner.prefill = async (chunk) => {
      const logits = await prefill.call(runner, chunk);
      logits?.data.fill(Number.NaN);
      return logits;
    };
    expect((await run({ promptTokenIds: LONG })).failure).toMatchObject({ code: FailureCode.ENGINE_ERROR });
    expect(log.cachedHashes.size + runner.endsTokens).toBe(0);
    runner.prefill = prefill;
    expect((await run({ promptTokenIds: LONG })).cached).toBe(0);
    await stop();
  });

  it.each([LONG, LONG.slice(0, 16), LONG.slice(0, 1)])(
    'given a prompt whose end is kept, when it comes again, then nothing is computed for its first token, and tokens and log-probabilities are those of the first time: %j',
    async (...promptTokenIds) => {
      const { log, run, submit, stop, runner } = startLoop(EXACT);
      const parts = {
        promptTokenIds,
        sampling: { reportLogprobs: true, temperature: 1, seed: 4, presencePenalty: 0.5 },
      };
      const first = submit(parts).generationId;
      await log.end(first);
      await run({ promptTokenIds: [9, 8, 7] }); // the slot has been another's
      const before = runner.prefilledTokens;
      const second = submit(parts).generationId;
      const { usage } = await log.end(second);
      expect([usage?.cachedPromptTokens, runner.prefilledTokens - before]).toEqual([promptTokenIds.length, 0]);
      expect(log.sequence(second)).toEqual(log.sequence(first));
      // another choice after the same logits, and a prompt that goes on from there
      expect((await run({ promptTokenIds, stop: { maxTokens: 1 } })).computed).toBe(0);
      const longer = [...promptTokenIds, 3];
      expect((await run({ promptTokenIds: longer })).tokenIds).toEqual(
        await withoutStore({ promptTokenIds: longer }, EXACT),
      );
      await stop();
    },
  );

  it('given the end of a prompt, when the same comes under another salt, or wants the log-probabilities of its prompt, then it is computed', async () => {
    const { run, stop } = startLoop(EXACT);
    const { tokenIds } = await run({ promptTokenIds: LONG });
    const sampling = { reportPromptLogprobs: true };
    expect(await run({ promptTokenIds: LONG, sampling })).toMatchObject({ tokenIds, cached: 0, computed: 42 });
    const cacheSalt = Buffer.from('b');
    expect(await run({ promptTokenIds: LONG, cacheSalt })).toMatchObject({ tokenIds, cached: 0, computed: 42 });
    expect(await run({ promptTokenIds: LONG, cacheSalt })).toMatchObject({ tokenIds, cached: 42, computed: 0 });
    await stop();
  });

  it('given n, when the end of the prompt is kept, then none of it is computed but for the last tokens of the further ones', async () => {
    const { log, runner, run, submit, stop } = startLoop(EXACT);
    await run({ promptTokenIds: LONG });
    const before = runner.prefilledTokens;
    const sampling = { temperature: 1, seed: 3 };
    const { generationId } = submit({ promptTokenIds: LONG, sequenceCount: 3, sampling });
    expect((await log.end(generationId)).usage?.cachedPromptTokens).toBe(LONG.length);
    expect(runner.prefilledTokens - before).toBe(4);
    expect(log.sequence(generationId).tokenIds).toEqual(await withoutStore({ promptTokenIds: LONG, sampling }, EXACT));
    await stop();
  });

  it('given ends of prompts, when room is wanted, then the oldest go before any block, and what lacks its end is found up to its last block', async () => {
    const { loop, runner, run, stop } = startLoop({ ...EXACT, kvTotalBytes: 400, contextTokens: 400, chunkTokens: 64 });
    const prompts = [0, 1, 2, 3, 4, 5, 6].map((first) => LONG.map((id) => (id + first) % 60));
    for (const promptTokenIds of prompts) await run({ promptTokenIds, stop: { maxTokens: 1 } });
    // each takes three tokens, and a sixteenth of 400 holds eight of them
    expect(runner.endsTokens).toBe(7 * 3);
    expect(loop.state().kvCachedBytes).toBe(7 * 40 + 7 * 3);
    await run({ promptTokenIds: [61], stop: { maxTokens: 110 } });
    expect(loop.state()).toMatchObject({ preemptions: 0, evictedPrefixBlocks: 0 });
    expect(runner.endsTokens).toBe(2 * 3 + 2); // of the last two prompts, and its own
    await run({ promptTokenIds: [62], stop: { maxTokens: 160 } });
    expect(loop.state().evictedPrefixBlocks).toBeGreaterThan(0);
    expect(loop.state().kvCachedBytes).toBeLessThanOrEqual(400);
    const found = await run({ promptTokenIds: prompts[6]!, stop: { maxTokens: 1 } });
    expect([found.cached, found.computed]).toEqual([40, 2]);
    await stop();
  });

  it('given memory that runs short, when a sequence grows, then cached blocks go first, the oldest before all, and nothing is preempted', async () => {
    const { loop, run, stop } = startLoop({ kvTotalBytes: 96, kvPageTokens: 4, contextTokens: 96 });
    const old = await run({ promptTokenIds: LONG, stop: { maxTokens: 1 } });
    const recent = LONG.slice(0, 12).map((id) => 59 - id);
    await run({ promptTokenIds: recent, stop: { maxTokens: 1 } });
    expect(loop.state()).toMatchObject({ kvUsedBytes: 0, kvCachedBytes: 40 + 12 });
    await run({ promptTokenIds: [60], stop: { maxTokens: 39 } });
    expect(loop.state().preemptions).toBe(0);
    expect(loop.state().evictedPrefixBlocks).toBeGreaterThan(0);
    expect(loop.state().kvCachedBytes).toBeLessThanOrEqual(96);
    expect((await run({ promptTokenIds: [...recent, 1], stop: { maxTokens: 1 } })).cached).toBe(12);
    const again = await run({ promptTokenIds: LONG, stop: { maxTokens: 1 } });
    expect(again.cached).toBeLessThan(40);
    expect(again.tokenIds).toEqual(old.tokenIds);
    await stop();
  });

  it.each([
    { earlierUses: [3], cached: 12 },
    { earlierUses: [], cached: 0 },
  ])(
    'given lfuda and a prompt whose blocks the fleet had before ($earlierUses), when room is wanted, then $cached of its tokens are held',
    async ({ earlierUses, cached }) => {
      const { run, stop } = startLoop({ kvTotalBytes: 48, contextTokens: 48 }, createEviction('lfuda', hashOf));
      const known = LONG.slice(0, 13);
      await run({ promptTokenIds: known, stop: { maxTokens: 1 }, earlierUses });
      for (let other = 0; other < 4; other++) {
        await run({ promptTokenIds: known.map((id) => (id + other + 1) % 60), stop: { maxTokens: 1 } });
      }
      expect((await run({ promptTokenIds: known, stop: { maxTokens: 1 } })).cached).toBe(cached);
      await stop();
    },
  );

  it('given memory for little more than one sequence, when a chat goes on, then as much of it is held as fits beside it', async () => {
    const { run, stop } = startLoop({ kvTotalBytes: 64, contextTokens: 64 });
    const promptTokenIds = LONG.slice(0, 40);
    const first = await run({ promptTokenIds, stop: { maxTokens: 4 } });
    const { cached, tokenIds } = await run({ promptTokenIds, stop: { maxTokens: 4 } });
    expect(cached).toBe(20);
    expect(tokenIds).toEqual(first.tokenIds);
    await stop();
  });
});
