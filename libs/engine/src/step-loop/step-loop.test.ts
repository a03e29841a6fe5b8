import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FailureCode, FinishReason, type GenerationRequest, type SamplingParams } from '#lib/contracts';
import { PREFILL_ORDERS, type PrefillOrder } from '#lib/placement';
import { syntheticTextFiles, TextModel } from '#lib/tokens';
import { EventLog } from '../../testing/event-log.js';
import { bestOf, naiveLogprobs } from '../../testing/naive-logprobs.js';
import { requestOf } from '../../testing/requests.js';
import {
  logitsAfter,
  SyntheticModelRunner,
  type SyntheticModelRunnerOptions,
} from '../../testing/synthetic-model-runner.js';
import type { ChunkBesideDecode } from '../model-runner.js';
import type { CheckedRequest } from './generation.js';
import { violations } from './invariants.js';
import { StepLoop } from './step-loop.js';

const { table } = TextModel.load(syntheticTextFiles());
const TEXT = { table, eosTokenIds: [63] };

interface LoopParts extends SyntheticModelRunnerOptions {
  readonly headroomTokens?: number;
  readonly prefillOrder?: PrefillOrder;
}

/** A loop over the synthetic model, with the invariants looked at before each run of the model. */
function startLoop({ headroomTokens, prefillOrder, ...options }: LoopParts = {}) {
  const log = new EventLog();
  const broken: string[] = [];
  const look = () => broken.push(...violations(loop.snapshot()));
  const runner = new SyntheticModelRunner({
    ...options,
    onRun: async () => {
      look();
      await options.onRun?.();
    },
  });
  const prefixes = { modelFingerprint: 'synthetic' };
  const loop: StepLoop = new StepLoop(runner, TEXT, {
    waitingGenerations: 64,
    headroomTokens,
    prefillOrder,
    prefixes,
    onEvent: log.listener,
  });
  const ended = loop.run();
  const stop = async () => {
    loop.close();
    await ended;
    loop.failAll('over');
    look();
  };
  return { loop, log, broken, stop, ended, runner };
}

const submit = (loop: StepLoop, request: GenerationRequest) => loop.submit(request as CheckedRequest);

/** Every sequence computes its own prompt: what comes is what `n` separate requests would give. */
async function alone(request: GenerationRequest, options: SyntheticModelRunnerOptions = {}) {
  const { loop, log, stop } = startLoop({ copiesSlots: false, ...options });
  submit(loop, { ...request, initialCredit: 1_000, deadlineUnixMs: 0 });
  await log.end(request.generationId);
  await stop();
  return log.of(request.generationId);
}

/** Many begin like others, and some are the same. */
const prompts = () =>
  fc
    .oneof(
      { weight: 3, arbitrary: fc.tuple(fc.nat(40), fc.array(fc.nat(62), { minLength: 1, maxLength: 40 })) },
      fc.tuple(fc.constantFrom(1, 2, 16, 30), fc.constant<number[]>([])),
    )
    .map(([shared, own]) => [...Array.from({ length: shared }, (_, i) => (i * 7) % 60), ...own].slice(0, 40));

const requests = (): fc.Arbitrary<GenerationRequest> =>
  fc
    .record({
      promptTokenIds: prompts(),
      cacheSalt: fc.constantFrom('a', 'b').map((salt) => Buffer.from(salt)),
      acceptedTokenIds: fc.constant<number[]>([]),
      sequenceCount: fc.integer({ min: 1, max: 3 }),
      initialCredit: fc.integer({ min: 1, max: 12 }),
      priority: fc.integer({ min: -2, max: 2 }),
      temperature: fc.constantFrom(0, 0.7, 1.5),
      presencePenalty: fc.constantFrom(0, 0.5),
      topK: fc.constantFrom(0, 5),
      seed: fc.nat(),
      maxTokens: fc.integer({ min: 1, max: 30 }),
      ignoreEos: fc.boolean(),
      reports: fc.constantFrom<Partial<SamplingParams>>(
        {},
        {},
        { reportLogprobs: true, topLogprobs: 2 },
        { reportPromptLogprobs: true },
        { reportLogprobs: true, reportPromptLogprobs: true, topLogprobs: 1 },
      ),
    })
    .map(({ temperature, presencePenalty, topK, seed, maxTokens, ignoreEos, reports, ...rest }) =>
      requestOf({
        ...rest,
        sampling: { temperature, presencePenalty, topK, seed, ...reports },
        stop: { maxTokens, ignoreEos },
      }),
    );

type Command =
  | { kind: 'submit'; request: GenerationRequest }
  | { kind: 'cancel' | 'credit'; which: number; tokens: number }
  | { kind: 'steps'; turns: number };

/** Short prompts that come at once. */
const burst = (): fc.Arbitrary<Command[]> =>
  fc.array(
    fc
      .array(fc.nat(62), { minLength: 1, maxLength: 9 })
      .map((promptTokenIds): Command => ({ kind: 'submit', request: requestOf({ promptTokenIds }) })),
    { minLength: 2, maxLength: 3 },
  );

const commands = (): fc.Arbitrary<Command[]> =>
  fc
    .array(fc.oneof({ weight: 8, arbitrary: command().map((one) => [one]) }, { weight: 1, arbitrary: burst() }), {
      minLength: 1,
      maxLength: 30,
    })
    .map((parts) => parts.flat());

const command = (): fc.Arbitrary<Command> =>
  fc.oneof(
    requests().map((request): Command => ({ kind: 'submit', request })),
    fc.record({
      kind: fc.constantFrom('cancel' as const, 'credit' as const),
      which: fc.nat(20),
      tokens: fc.integer({ min: 1, max: 9 }),
    }),
    fc.record({ kind: fc.constant('steps' as const), turns: fc.integer({ min: 1, max: 12 }) }),
  );

/** Chunks of an exact runner are never cut to one token. */
function atLeastThree<
  T extends { chunkTokens: number; allLogitsTokens: number; chunkBesideDecode?: ChunkBesideDecode },
>(limits: T): T {
  const { chunkTokens, allLogitsTokens, chunkBesideDecode } = limits;
  return {
    ...limits,
    chunkTokens: Math.max(3, chunkTokens),
    allLogitsTokens: Math.max(3, allLogitsTokens),
    chunkBesideDecode: chunkBesideDecode && { ...chunkBesideDecode, leastTokens: 3 },
  };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('StepLoop', () => {
  it('given the order srpt and one place, when prompts wait, then the shortest to be computed goes first, what is kept of it left out, and priority before all', async () => {
    const { loop, log, stop } = startLoop({
      slots: 1,
      chunkTokens: 8,
      prefillOrder: 'srpt',
      blockPlaces: 300,
      blockTokens: 4,
    });
    const prompt = (id: number, tokens: number) => Array.from({ length: tokens }, () => id);
    const ask = (generationId: string, promptTokenIds: number[], priority = 0) =>
      submit(loop, requestOf({ generationId, promptTokenIds, priority, stop: { maxTokens: 3 } }));
    ask('kept', prompt(1, 40));
    await log.end('kept');
    ask('long', prompt(2, 30));
    ask('half kept', [...prompt(1, 40), ...prompt(3, 10)]);
    ask('short', prompt(4, 4));
    ask('urgent', prompt(5, 36), 1);
    await Promise.all(['long', 'half kept', 'short', 'urgent'].map((id) => log.end(id)));
    await stop();
    const begun = new Set(log.steps.flatMap(({ entries }) => entries.map((entry) => entry.generationId)));
    expect([...begun]).toEqual(['kept', 'urgent', 'short', 'half kept', 'long']);
  });

  it('given any interleaving of submits, cancels, credits and steps, with prefixes kept or not, then each sequence has what it gives alone, every generation ends once, and nothing is aliased or leaked', async () => {
    let preemptions = 0;
    let moves = 0;
    let cachedTokens = 0;
    let evictedBlocks = 0;
    let promptRuns = 0;
    let recalls = 0;
    await fc.assert(
      fc.asyncProperty(
        commands(),
        fc.record({
          slots: fc.integer({ min: 1, max: 5 }),
          decodeRows: fc.integer({ min: 1, max: 3 }),
          chunkTokens: fc.oneof(fc.integer({ min: 1, max: 11 }), fc.constant(16)),
          chunkBesideDecode: fc.constantFrom(undefined, { leastTokens: 2, tokensPerRow: 1.5 }),
          chunksPerStep: fc.constantFrom(1, 3),
          promptRun: fc.constantFrom(undefined, { mostPrompts: 3, mostRows: 32 }),
          allLogitsTokens: fc.constantFrom(1, 3, 20),
          copiesSlots: fc.boolean(),
          movesSlots: fc.boolean(),
          restsSlots: fc.boolean(),
          kvPageTokens: fc.constantFrom(1, 4, 16),
          headroomTokens: fc.constantFrom(0, 0, 0, 4, 64),
          kvTotalBytes: fc.constantFrom(60, 64, 80, 128, 1_000),
          blockPlaces: fc.constantFrom(0, 3, 300),
          blockTokens: fc.constantFrom(1, 4, 16),
          placeTokens: fc.constantFrom(16, 17),
          endPlaces: fc.constantFrom(0, 2, 100),
          isExact: fc.boolean(),
          prefillOrder: fc.constantFrom(...PREFILL_ORDERS),
        }),
        fc.array(fc.nat(6), { minLength: 1, maxLength: 7 }),
        async (script, drawn, delays) => {
          const limits = drawn.isExact ? atLeastThree(drawn) : drawn;
          let opened = 0;
          const heldTokens = async ({ tokenIds }: { tokenIds: ArrayLike<number> }) => {
            const delay = delays[opened++ % delays.length]!;
            for (let i = 0; i < delay; i++) await turn();
            if (delay === 5) throw new Error('the prefix did not come');
            return delay % 2 === 1 ? 0 : Math.min(delay * 3, tokenIds.length - 1);
          };
          const { loop, log, broken, stop, ended, runner } = startLoop({ ...limits, heldTokens });
          const taken: GenerationRequest[] = [];
          const cancelled = new Set<string>();
          for (const command of script) {
            if (command.kind === 'steps') {
              for (let i = 0; i < command.turns; i++) await turn();
              continue;
            }
            if (command.kind === 'submit') {
              submit(loop, command.request);
              taken.push(command.request);
              continue;
            }
            const request = taken[command.which % Math.max(1, taken.length)];
            if (request === undefined) continue;
            if (command.kind === 'credit') loop.credit(request.generationId, command.tokens);
            else {
              loop.cancel(request.generationId);
              cancelled.add(request.generationId);
            }
          }
          for (const { generationId } of taken) loop.credit(generationId, 1_000);
          await Promise.race([Promise.all(taken.map(({ generationId }) => log.end(generationId))), ended]);
          expect(loop.state()).toMatchObject({
            runningGenerations: 0,
            waitingGenerations: 0,
            pendingPrefillTokens: 0,
            kvUsedBytes: 0,
          });
          const { cachedPromptTokens, evictedPrefixBlocks, kvCachedBytes } = loop.state();
          const restingTokens = loop.snapshot().slots.resting.reduce((sum, { kvTokens }) => sum + kvTokens, 0);
          expect(kvCachedBytes).toBe(log.cachedHashes.size * limits.placeTokens + restingTokens + runner.endsTokens);
          cachedTokens += cachedPromptTokens;
          evictedBlocks += evictedPrefixBlocks;
          preemptions += loop.state().preemptions;
          await stop();
          moves += runner.moves;
          promptRuns += runner.promptRuns.length;
          recalls += runner.recalls;
          expect(broken).toEqual([]);

          const { kvTotalBytes, kvPageTokens, isExact } = limits;
          for (const request of taken) {
            const outcome = log.of(request.generationId);
            expect(outcome).toMatchObject({ ends: 1, lateEntries: 0, failure: undefined });
            const own = await alone(request, { kvTotalBytes, kvPageTokens, isExact });
            for (const [index, sequence] of own.sequences) {
              const came = outcome.sequences.get(index)!;
              if (cancelled.has(request.generationId) && came.finishReason === FinishReason.CANCELLED) {
                expect(sequence.tokenIds.slice(0, came.tokenIds.length)).toEqual(came.tokenIds);
                expect(sequence.text.startsWith(came.text)).toBe(true);
                expect(sequence.logprobs.slice(0, came.logprobs.length)).toEqual(came.logprobs);
              } else expect(came).toEqual(sequence);
            }
          }
        },
      ),
      { numRuns: 2_000 },
    );
    expect(Math.min(preemptions, moves, evictedBlocks)).toBeGreaterThan(50);
    expect(promptRuns).toBeGreaterThan(0);
    expect(recalls).toBeGreaterThan(100);
    expect(cachedTokens).toBeGreaterThan(1_000);
  }, 300_000);

  it('given memory for fewer than run, when they grow, then the latest is preempted and goes on later as if nothing had been', async () => {
    const limits = { slots: 4, kvTotalBytes: 128, kvPageTokens: 8, headroomTokens: 8 };
    const { loop, log, stop, broken } = startLoop(limits);
    const requests = Array.from({ length: 4 }, (_, seed) =>
      requestOf({
        promptTokenIds: [seed, 2, 3],
        sampling: { temperature: 1, seed, reportLogprobs: true, reportPromptLogprobs: true },
        stop: { maxTokens: 100 },
      }),
    );
    for (const request of requests) submit(loop, request);
    await Promise.all(requests.map(({ generationId }) => log.end(generationId)));
    expect(loop.state()).toMatchObject({ kvUsedBytes: 0 });
    expect(loop.state().preemptions).toBeGreaterThan(2);
    await stop();
    expect(broken).toEqual([]);
    for (const request of requests) {
      expect(log.of(request.generationId).sequences).toEqual((await alone(request, limits)).sequences);
    }
    const endOf = (index: number) =>
      log.steps.findIndex(({ entries }) =>
        entries.some(
          ({ generationId, finishReason }) =>
            generationId === requests[index]!.generationId && finishReason === FinishReason.LENGTH,
        ),
      );
    expect([0, 1, 2, 3].map(endOf)).toEqual([0, 1, 2, 3].map(endOf).sort((a, b) => a - b));
  });

  it('given a reader that stops, when memory lacks, then its sequence gives way and goes on when it reads again', async () => {
    const { loop, log, stop, broken } = startLoop({ slots: 2, kvTotalBytes: 40 });
    const slow = requestOf({ initialCredit: 20, stop: { maxTokens: 30 } });
    const fast = requestOf({ promptTokenIds: [9], stop: { maxTokens: 35 } });
    submit(loop, slow);
    await log.until(() => log.sequence(slow.generationId).tokenIds.length === 20);
    submit(loop, fast);
    await log.end(fast.generationId);
    expect(loop.state()).toMatchObject({ preemptions: 1, waitingGenerations: 1 });
    loop.credit(slow.generationId, 10);
    await log.end(slow.generationId);
    await stop();
    expect(broken).toEqual([]);
    expect(log.sequence(slow.generationId)).toEqual((await alone(slow)).sequences.get(0));
  });

  it('given sequences that end at random, when the others decode, then their slots are neighbours again at the next step', async () => {
    const { loop, log, stop, runner } = startLoop({ slots: 16, decodeRows: 16, kvTotalBytes: 150 });
    const requests = Array.from({ length: 24 }, (_, index) =>
      requestOf({ stop: { maxTokens: 3 + ((index * 7) % 20) } }),
    );
    for (const request of requests) submit(loop, request);
    await Promise.all(requests.map(({ generationId }) => log.end(generationId)));
    await stop();
    expect(runner.moves).toBeGreaterThan(0);
    expect(runner.decodeRuns).toBe(runner.decodes);
  });

  it('given a long prompt, when it is prefilled beside running streams, then every step still gives each stream a token', async () => {
    const { loop, log, stop } = startLoop({ chunkTokens: 4, contextTokens: 256, kvTotalBytes: 4 * 256 });
    const stream = requestOf({ promptTokenIds: [1, 2], stop: { maxTokens: 60 } });
    submit(loop, stream);
    await log.until(() => log.steps.length > 0);
    const long = requestOf({ promptTokenIds: Array.from({ length: 100 }, (_, i) => i % 60), stop: { maxTokens: 1 } });
    submit(loop, long);
    await Promise.all([log.end(stream.generationId), log.end(long.generationId)]);
    await stop();
    const arrival = log.steps.findIndex(({ entries }) =>
      entries.some((entry) => entry.generationId === long.generationId),
    );
    expect(arrival).toBeGreaterThanOrEqual(25);
    for (const { entries } of log.steps.slice(0, 60)) expect(entries[0]?.generationId).toBe(stream.generationId);
  });

  it('given prompts that come together, when the runner computes several in a run, then they are one, in order, and each has what it has alone', async () => {
    const promptRun = { mostPrompts: 8, mostRows: 64 };
    const { loop, log, stop, runner, broken } = startLoop({ slots: 8, decodeRows: 8, promptRun, kvPageTokens: 8 });
    const requests = [4, 7, 6, 5].map((length, index) =>
      requestOf({ promptTokenIds: Array.from({ length }, (_, i) => (index * 9 + i) % 60), stop: { maxTokens: 6 } }),
    );
    for (const request of requests) submit(loop, request);
    await Promise.all(requests.map(({ generationId }) => log.end(generationId)));
    await stop();
    expect(broken).toEqual([]);
    expect(runner.promptRuns).toEqual([4]);
    expect(log.steps[0]!.entries.map(({ generationId }) => generationId)).toEqual(
      requests.map(({ generationId }) => generationId),
    );
    for (const request of requests) {
      expect(log.of(request.generationId).sequences).toEqual((await alone(request)).sequences);
    }
  });

  it('given n sequences, when run, then the prompt is computed once and each has what it has without copies', async () => {
    for (const slots of [2, 4, 8]) {
      const { loop, log, stop, runner, broken } = startLoop({ slots, decodeRows: 8, kvTotalBytes: 10_000 });
      const promptTokenIds = Array.from({ length: 30 }, (_, i) => (i * 7) % 60);
      const sampling = { temperature: 1, seed: 5, reportPromptLogprobs: true, reportLogprobs: true };
      const request = requestOf({ promptTokenIds, sequenceCount: 6, sampling, stop: { maxTokens: 10 } });
      submit(loop, request);
      await log.end(request.generationId);
      await stop();
      expect(broken).toEqual([]);
      expect(log.of(request.generationId).sequences).toEqual((await alone(request)).sequences);
      expect(
        new Set(Array.from({ length: 6 }, (_, i) => `${log.sequence(request.generationId, i).tokenIds}`)).size,
      ).toBe(6);
      // with fewer slots than sequences, one that comes when the others are gone computes the prompt again
      if (slots === 8) expect(runner.prefilledTokens).toBe(promptTokenIds.length);
      else expect(runner.prefilledTokens).toBeLessThan(6 * promptTokenIds.length);
    }
  });

  it('given sequences that end with their first token, when n run, then the prompt is still computed once', async () => {
    const { loop, log, stop, runner } = startLoop({ slots: 4, kvTotalBytes: 10_000 });
    const request = requestOf({ promptTokenIds: [1, 2, 3, 4, 5], sequenceCount: 4, stop: { maxTokens: 1 } });
    submit(loop, request);
    await log.end(request.generationId);
    await stop();
    expect(runner.prefilledTokens).toBe(5);
    expect(log.of(request.generationId).sequences).toEqual((await alone(request)).sequences);
  });

  it('given log-probabilities, when a prompt is chunked or its prefix held, then those of prompt and output are the naive ones', async () => {
    const promptTokenIds = Array.from({ length: 21 }, (_, i) => (i * 11) % 60);
    const sampling = {
      reportLogprobs: true,
      reportPromptLogprobs: true,
      topLogprobs: 3,
      temperature: 1,
      presencePenalty: 1,
    };
    for (const allLogitsTokens of [1, 4, 8]) {
      const { loop, log, stop } = startLoop({ allLogitsTokens, heldTokens: () => 9 });
      const request = requestOf({ promptTokenIds, sampling, stop: { maxTokens: 6 } });
      submit(loop, request);
      const { usage } = await log.end(request.generationId);
      await stop();
      expect(usage?.cachedPromptTokens).toBe(0);
      const { tokenIds, logprobs, promptLogprobs } = log.sequence(request.generationId);
      const all = [...promptTokenIds, ...tokenIds];
      const told = [...promptLogprobs, ...logprobs];
      expect(told).toHaveLength(all.length - 1);
      for (const [index, { chosen, top }] of told.entries()) {
        const naive = naiveLogprobs(logitsAfter([all.slice(0, index + 1)]).data);
        expect(chosen?.tokenId).toBe(all[index + 1]);
        expect(chosen?.tokenBytes).toEqual(Buffer.from(table.bytes(all[index + 1]!)));
        expect(chosen?.logprob).toBeCloseTo(naive[all[index + 1]!]!, 6);
        expect(top.map(({ tokenId }) => tokenId)).toEqual(bestOf(naive, 3));
      }
    }
  });

  it('given accepted tokens, when resumed, then the prompt is not told again', async () => {
    const sampling = { reportLogprobs: true, reportPromptLogprobs: true };
    const request = requestOf({
      promptTokenIds: [1, 2, 3],
      acceptedTokenIds: [4, 5],
      sampling,
      stop: { maxTokens: 4 },
    });
    const { promptLogprobs, logprobs } = (await alone(request)).sequences.get(0)!;
    expect([promptLogprobs.length, logprobs.length]).toEqual([0, 2]);
  });

  it('given NaN in a prompt whose log-probabilities are told, when it is committed, then that generation fails', async () => {
    const { loop, log, stop, runner } = startLoop();
    const prefill = runner.prefill.bind(runner);
    runner.prefill = async (chunk) => {
      const logits = await prefill(chunk);
      if (logits && logits.rows > 1) logits.data[64 + 3] = Number.NaN;
      return logits;
    };
    const request = requestOf({ promptTokenIds: [1, 2, 3, 4], sampling: { reportPromptLogprobs: true } });
    submit(loop, request);
    expect((await log.end(request.generationId)).failure).toMatchObject({
      code: FailureCode.ENGINE_ERROR,
      message: 'the logit of token 3 is not a number',
    });
    await stop();
  });

  it('given NaN in one row, when the step is committed, then that generation fails and the others go on', async () => {
    let poisoned = -1;
    const { loop, log, stop, runner } = startLoop();
    const decode = runner.decode.bind(runner);
    runner.decode = async (rows) => {
      const logits = await decode(rows);
      const row = rows.findIndex(({ slot }) => slot === poisoned);
      if (row >= 0) logits.data[row * 64 + 7] = Number.NaN;
      return logits;
    };
    const [good, bad] = [requestOf({ stop: { maxTokens: 12 } }), requestOf({ stop: { maxTokens: 12 } })];
    submit(loop, good);
    submit(loop, bad);
    await log.until(() => log.sequence(bad.generationId).tokenIds.length > 2);
    poisoned = 1;
    expect((await log.end(bad.generationId)).failure).toMatchObject({
      code: FailureCode.ENGINE_ERROR,
      message: 'the logit of token 7 is not a number',
    });
    await log.end(good.generationId);
    expect(log.sequence(good.generationId)).toEqual((await alone(good)).sequences.get(0));
    await stop();
  });

  it('given a runner that breaks, when a step runs, then the loop rejects with its reason', async () => {
    const { loop, ended } = startLoop({ onRun: () => Promise.reject(new Error('out of memory')) });
    submit(loop, requestOf({}));
    await expect(ended).rejects.toThrow('out of memory');
  });

  it('given priorities, when a place becomes free, then the larger runs first, and equal ones as they came', async () => {
    const { loop, log, stop } = startLoop({ slots: 1 });
    const order = [0, -1, 5, 0].map((priority) => requestOf({ priority, stop: { maxTokens: 2 } }));
    for (const request of order) submit(loop, request);
    await Promise.all(order.map(({ generationId }) => log.end(generationId)));
    const first = (id: string) =>
      log.steps.findIndex(({ entries }) => entries.some((entry) => entry.generationId === id));
    const [normal, low, high, later] = order.map(({ generationId }) => first(generationId));
    expect([high, normal, later, low]).toEqual([high, normal, later, low].sort((a, b) => a! - b!));
    await stop();
  });
});
