import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FailureCode, FinishReason, type GenerationRequest } from '#lib/contracts';
import { EventLog, type SequenceOutcome } from '../testing/event-log.js';
import { type RequestParts, requestOf } from '../testing/requests.js';
import type { Engine } from './engine.js';

export interface EngineUnderTest {
  /** Not started yet. Room for at least four sequences at once and two generations that wait. */
  readonly engine: Engine;
  /** Different prompts, at least four, of different lengths; each can be followed by 24 tokens. */
  readonly prompts: readonly (readonly number[])[];
}

const NEVER = new AbortController().signal;

/** What every engine must do. The engine is made anew for each case. */
export function describeEngine(name: string, create: () => Promise<EngineUnderTest>): void {
  describe(`${name} as an engine`, () => {
    let engine: Engine;
    let prompts: EngineUnderTest['prompts'];
    let log: EventLog;

    beforeEach(async () => {
      ({ engine, prompts } = await create());
      log = new EventLog(engine);
      await engine.start(NEVER);
    });
    afterEach(() => engine.stop());

    const request = (parts: RequestParts): GenerationRequest =>
      requestOf({ modelId: engine.describe().model.modelId, promptTokenIds: [...prompts[0]!], ...parts });
    const submit = (parts: RequestParts): string => {
      const submitted = request(parts);
      expect(engine.submit(submitted)).toEqual({ kind: 'accepted' });
      return submitted.generationId;
    };
    const run = async (parts: RequestParts): Promise<SequenceOutcome> => {
      const id = submit(parts);
      expect((await log.end(id)).failure).toBeUndefined();
      return log.sequence(id);
    };
    /** A refusal comes at once, or from another thread as an event. */
    const refusal = async (parts: RequestParts) => {
      const submitted = request(parts);
      const outcome = engine.submit(submitted);
      if (outcome.kind === 'refused') return outcome;
      return (await log.end(submitted.generationId)).failure;
    };

    it('given a model, when described, then identity, limits and text files are complete', () => {
      const { model, textFiles } = engine.describe();
      expect(model.textFingerprint).toMatch(/^[0-9a-f]{64}$/);
      expect(model.modelFingerprint).toMatch(/^[0-9a-f]{64}$/);
      expect(model.contextTokens).toBeGreaterThan(0);
      expect(model.tasks).toContain('generate');
      expect(textFiles.has('tokenizer.json')).toBe(true);
    });

    it('given max_tokens, when run, then exactly as many tokens come, one entry each, then usage', async () => {
      const id = submit({ stop: { maxTokens: 5 } });
      const { usage, sequences } = await log.end(id);
      expect(sequences.get(0)).toMatchObject({ finishReason: FinishReason.LENGTH, stopMatch: '' });
      expect(sequences.get(0)?.tokenIds).toHaveLength(5);
      expect(usage).toMatchObject({ promptTokens: prompts[0]!.length, completionTokens: 5 });
      const entries = log.steps.flatMap((step) => step.entries);
      expect(entries.map((entry) => entry.tokenIds.length)).toEqual([1, 1, 1, 1, 1]);
    });

    it('given several prompts, when run together, then each has the tokens and text it has alone', async () => {
      const alone: SequenceOutcome[] = [];
      for (const promptTokenIds of prompts) alone.push(await run({ promptTokenIds: [...promptTokenIds] }));
      const ids = prompts.map((promptTokenIds) => submit({ promptTokenIds: [...promptTokenIds] }));
      await Promise.all(ids.map((id) => log.end(id)));
      expect(ids.map((id) => log.sequence(id))).toEqual(alone);
    });

    it('given a seed, when sampled twice, then the tokens are equal, and equal to those of the batch', async () => {
      const sampling = { temperature: 1, seed: 42, topP: 0.95 };
      const alone = await run({ sampling });
      const ids = [submit({ sampling }), submit({ sampling: { temperature: 1, seed: 43 } }), submit({ sampling })];
      await Promise.all(ids.map((id) => log.end(id)));
      expect(log.sequence(ids[0]!)).toEqual(alone);
      expect(log.sequence(ids[2]!)).toEqual(alone);
    });

    it('given n, when run greedily, then every sequence comes, with usage over all', async () => {
      const alone = await run({ stop: { maxTokens: 4 } });
      const id = submit({ sequenceCount: 3, stop: { maxTokens: 4 } });
      const { sequences, usage } = await log.end(id);
      expect([...sequences.keys()].sort()).toEqual([0, 1, 2]);
      for (const sequence of sequences.values()) expect(sequence).toEqual(alone);
      expect(usage).toMatchObject({ promptTokens: prompts[0]!.length, completionTokens: 12 });
    });

    it('given accepted tokens, when resumed, then the rest is that of the undisturbed run', async () => {
      for (const sampling of [{}, { temperature: 1, seed: 7 }]) {
        const whole = await run({ sampling, stop: { maxTokens: 12 } });
        const id = submit({ sampling, acceptedTokenIds: whole.tokenIds.slice(0, 5), stop: { maxTokens: 12 } });
        const { usage } = await log.end(id);
        expect(log.sequence(id).tokenIds).toEqual(whole.tokenIds.slice(5));
        expect(whole.text.endsWith(log.sequence(id).text)).toBe(true);
        expect(usage?.completionTokens).toBe(12);
      }
    });

    it('given a stop token, when it comes, then the sequence ends with it, without its text', async () => {
      const whole = await run({ stop: { maxTokens: 12 } });
      const stopTokenId = whole.tokenIds[6]!;
      const firstAt = whole.tokenIds.indexOf(stopTokenId);
      const stopped = await run({ stop: { maxTokens: 12, stopTokenIds: [stopTokenId] } });
      expect(stopped.tokenIds).toEqual(whole.tokenIds.slice(0, firstAt + 1));
      expect(stopped).toMatchObject({ finishReason: FinishReason.STOP, stopMatch: String(stopTokenId) });
      expect(whole.text.startsWith(stopped.text)).toBe(true);
    });

    it('given a stop token and min_tokens, when run, then it does not come before', async () => {
      const whole = await run({ stop: { maxTokens: 12 } });
      const stopTokenId = whole.tokenIds[2]!;
      const held = await run({ stop: { maxTokens: 12, minTokens: 8, stopTokenIds: [stopTokenId] } });
      expect(held.tokenIds.length).toBeGreaterThanOrEqual(8);
      expect(held.tokenIds.slice(0, 8)).not.toContain(stopTokenId);
    });

    it('given a stop string over token borders, when it is complete, then nothing of it was delivered', async () => {
      const whole = await run({ stop: { maxTokens: 24 } });
      const stop = whole.text.slice(-6, -2);
      const stopped = await run({ stop: { maxTokens: 24, stopStrings: [stop] } });
      expect(stopped).toMatchObject({
        text: whole.text.slice(0, whole.text.indexOf(stop)),
        finishReason: FinishReason.STOP,
        stopMatch: stop,
      });
      const kept = await run({ stop: { maxTokens: 24, stopStrings: [stop], includeStopString: true } });
      expect(kept.text).toBe(whole.text.slice(0, whole.text.indexOf(stop) + stop.length));
    });

    it('given a logit bias that forbids the next token, when run, then another comes', async () => {
      const whole = await run({ stop: { maxTokens: 1 } });
      const tokenId = whole.tokenIds[0]!;
      const biased = await run({ sampling: { logitBias: { [tokenId]: -1e9 } }, stop: { maxTokens: 1 } });
      expect(biased.tokenIds[0]).not.toBe(tokenId);
    });

    it('given no more credit, when it is used up, then the sequence pauses, others go on, and credit resumes it', async () => {
      const whole = await run({ stop: { maxTokens: 10 } });
      const paused = submit({ initialCredit: 3, stop: { maxTokens: 10 } });
      await run({ promptTokenIds: [...prompts[1]!], stop: { maxTokens: 16 } });
      expect(log.sequence(paused).tokenIds).toEqual(whole.tokenIds.slice(0, 3));
      expect(engine.state().runningGenerations).toBe(1);
      engine.credit(paused, 2);
      await log.until(() => log.sequence(paused).tokenIds.length === 5);
      engine.credit(paused, 100);
      await log.end(paused);
      expect(log.sequence(paused)).toEqual(whole);
    });

    it('given a cancel while it runs, waits for credit or has just come, when it arrives, then it ends as cancelled', async () => {
      const running = submit({ initialCredit: 2, stop: { maxTokens: 20 } });
      await log.until(() => log.sequence(running).tokenIds.length > 0);
      engine.cancel(running, 'client-gone');
      const fresh = submit({});
      engine.cancel(fresh, 'client-gone');
      engine.cancel('unknown', 'client-gone');
      for (const id of [running, fresh]) {
        const { usage, ends } = await log.end(id);
        expect(log.sequence(id).finishReason).toBe(FinishReason.CANCELLED);
        expect(usage?.promptTokens).toBe(prompts[0]!.length);
        expect(ends).toBe(1);
      }
      await run({});
      expect(engine.state()).toMatchObject({ runningGenerations: 0, waitingGenerations: 0, kvUsedBytes: 0 });
    });

    it('given a deadline, when it passes while the sequence waits for credit, then it fails', async () => {
      const id = submit({ initialCredit: 1, deadlineUnixMs: Date.now() + 50 });
      const { failure } = await log.end(id);
      expect(failure).toMatchObject({ code: FailureCode.DEADLINE_EXCEEDED, retryable: false });
      expect(engine.state()).toMatchObject({ runningGenerations: 0, kvUsedBytes: 0 });
    });

    it('given more than fits, when submitted, then it is refused as saturated and what was accepted finishes', async () => {
      const ids: string[] = [];
      let refused: Awaited<ReturnType<typeof refusal>>;
      for (let i = 0; i < 2_000 && refused === undefined; i++) {
        const submitted = request({ initialCredit: 1, stop: { maxTokens: 2 } });
        const outcome = engine.submit(submitted);
        if (outcome.kind === 'refused') refused = outcome;
        else ids.push(submitted.generationId);
      }
      for (const id of ids) engine.credit(id, 1);
      const failures = (await Promise.all(ids.map((id) => log.end(id)))).map(({ failure }) => failure);
      expect((refused ?? failures.find(Boolean))?.code).toBe(FailureCode.SATURATED);
      for (const failure of failures.filter(Boolean)) expect(failure).toMatchObject({ retryable: true });
      for (const [index, id] of ids.entries()) {
        if (failures[index] === undefined) expect(log.sequence(id).tokenIds).toHaveLength(2);
      }
    });

    it('given more than runs at once, when handed back, then what has begun finishes and the rest fails, retryable, as draining', async () => {
      const ids: string[] = [];
      for (let i = 0; i < 2_000 && ids.length === i; i++) {
        // those that have all places run for so long that the others have not begun, however fast prompts are
        const tokens = i < engine.describe().model.maxRunningSequences ? 60 : 2;
        const submitted = request({ initialCredit: tokens, stop: { maxTokens: tokens } });
        if (engine.submit(submitted).kind === 'accepted') ids.push(submitted.generationId);
      }
      await log.until(() => log.sequence(ids[0]!).tokenIds.length > 0);
      engine.handBack();
      const outcomes = await Promise.all(ids.map((id) => log.end(id)));
      const handedBack = outcomes.filter(({ failure }) => failure?.code === FailureCode.DRAINING);
      expect(handedBack.length).toBeGreaterThan(0);
      for (const { failure, sequences } of handedBack) {
        expect(failure?.retryable).toBe(true);
        expect(sequences.size).toBe(0);
      }
      expect(log.sequence(ids[0]!).tokenIds).toHaveLength(60);
      await run({});
    });

    it('given what cannot run here, when submitted, then the refusal names the parameter', async () => {
      const { contextTokens, vocabularySize } = engine.describe().model;
      const cases: [RequestParts, FailureCode, string][] = [
        [{ modelId: 'another' }, FailureCode.UNKNOWN_MODEL, 'model'],
        [{ adapterId: 'another' }, FailureCode.UNKNOWN_MODEL, 'model'],
        [{ promptTokenIds: [] }, FailureCode.INVALID_REQUEST, 'prompt'],
        [{ promptTokenIds: Array(contextTokens).fill(1) }, FailureCode.INVALID_REQUEST, 'prompt'],
        [{ promptTokenIds: [vocabularySize] }, FailureCode.INVALID_REQUEST, 'prompt'],
        [{ sampling: { temperature: Number.NaN } }, FailureCode.INVALID_REQUEST, 'temperature'],
        [{ sampling: { topP: 0 } }, FailureCode.INVALID_REQUEST, 'top_p'],
        [{ sampling: { logitBias: { [vocabularySize]: 1 } } }, FailureCode.INVALID_REQUEST, 'logit_bias'],
        [{ sequenceCount: 0 }, FailureCode.INVALID_REQUEST, 'n'],
        [{ stop: { maxTokens: 0 } }, FailureCode.INVALID_REQUEST, 'max_tokens'],
        [{ stop: { stopStrings: [''] } }, FailureCode.INVALID_REQUEST, 'stop'],
      ];
      cases.push([{ echoPrompt: true }, FailureCode.INVALID_REQUEST, 'echo']);
      if (engine.describe().model.unsupportedParameters.includes('logprobs')) {
        cases.push([{ sampling: { reportLogprobs: true } }, FailureCode.INVALID_REQUEST, 'logprobs']);
      } else {
        cases.push([{ sampling: { topLogprobs: 21 } }, FailureCode.INVALID_REQUEST, 'top_logprobs']);
      }
      for (const [parts, code, parameter] of cases) expect(await refusal(parts)).toMatchObject({ code, parameter });
      await run({});
    });

    it('given the context, when max_tokens goes beyond it, then the sequence ends with it', async () => {
      const { contextTokens } = engine.describe().model;
      const promptTokenIds = Array.from({ length: contextTokens - 3 }, (_, i) => prompts[0]![i % prompts[0]!.length]!);
      const ended = await run({ promptTokenIds, stop: { maxTokens: 100 } });
      expect(ended.tokenIds).toHaveLength(3);
      expect(ended.finishReason).toBe(FinishReason.LENGTH);
    });

    it('given running and paused generations, when stopped, then each fails once, retryable, and it can start again', async () => {
      const ids = [submit({ initialCredit: 1 }), submit({ initialCredit: 2 }), submit({ initialCredit: 1 })];
      await log.until(() => log.sequence(ids[0]!).tokenIds.length > 0);
      await engine.stop();
      await engine.stop();
      for (const id of ids) {
        expect(log.of(id)).toMatchObject({ ends: 1, failure: { code: FailureCode.ENGINE_ERROR, retryable: true } });
      }
      expect(log.isEngineLost).toBe(false);
      expect(engine.submit(request({})).kind).toBe('refused');
      await engine.start(NEVER);
      await run({});
    });
  });
}
