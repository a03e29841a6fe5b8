import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FailureCode } from '#lib/contracts';
import { requestOf } from '../../testing/requests.js';
import type { EmbeddingOutcome, EngineDescription, EngineEvent } from '../engine.js';
import { EmbeddingEngine, type EmbeddingEngineOptions } from './embedding-engine.js';
import { OVERFLOWING_TOKEN, ScriptedEncoder } from './scripted-encoder.test-support.js';

const NEVER = new AbortController().signal;
const MODEL_ID = 'encoder';

const description = {
  engine: 'test',
  model: { modelId: MODEL_ID },
  textFiles: new Map(),
} as unknown as EngineDescription; // no more of it is read
const tokens = (length: number, first = 1) => Array.from({ length }, (_, index) => first + index);

async function startedEngine(options: Partial<EmbeddingEngineOptions> = {}) {
  const encoder = new ScriptedEncoder();
  const load = async () => ({ description, runner: encoder });
  const engine = new EmbeddingEngine({ load, waitingRequests: 8, ...options });
  const events: EngineEvent[] = [];
  engine.onEvent((event) => events.push(event));
  await engine.start(NEVER);
  const embed = (inputs: readonly (readonly number[])[], signal = NEVER) =>
    engine.embed({ modelId: MODEL_ID, inputs }, signal);
  return { engine, encoder, embed, events };
}

function expectVectors(outcome: EmbeddingOutcome, inputs: readonly (readonly number[])[]): void {
  if (outcome.kind !== 'embedded') throw new Error(outcome.message);
  expect(outcome.dimensions).toBe(4);
  expect([...outcome.vectors]).toEqual(inputs.flatMap(ScriptedEncoder.vectorOf));
}

const inputArbitrary = fc.array(fc.integer({ min: OVERFLOWING_TOKEN + 1, max: 99 }), { minLength: 1, maxLength: 32 });
const requestsArbitrary = fc.array(fc.array(inputArbitrary, { minLength: 1, maxLength: 20 }), {
  minLength: 1,
  maxLength: 8,
});

describe('EmbeddingEngine', () => {
  it('given any requests at once, when embedded, then each has its own vectors in the order of its inputs, and its usage', () =>
    fc.assert(
      fc.asyncProperty(requestsArbitrary, async (requests) => {
        const { engine, embed } = await startedEngine();
        const outcomes = await Promise.all(requests.map((inputs) => embed(inputs)));
        for (const [index, outcome] of outcomes.entries()) {
          expectVectors(outcome, requests[index]!);
          const { length: promptTokens } = requests[index]!.flat();
          expect(outcome).toMatchObject({ usage: { promptTokens, completionTokens: 0, cachedPromptTokens: 0 } });
        }
        const all = requests.flat(2).length;
        expect(engine.state()).toMatchObject({
          ...{ runningGenerations: 0, waitingGenerations: 0, pendingPrefillTokens: 0, computedPromptTokens: all },
          isStepping: false,
        });
        await engine.stop();
      }),
      { numRuns: 50 },
    ));

  it('given any requests of which some leave at any time, when the others end, then those have their vectors and nothing is held', () =>
    fc.assert(
      fc.asyncProperty(requestsArbitrary, fc.array(fc.nat(7)), async (requests, leavers) => {
        const { engine, encoder, embed } = await startedEngine();
        encoder.holds = true;
        const aborts = requests.map(() => new AbortController());
        const outcomes = requests.map((inputs, index) =>
          embed(inputs, aborts[index]!.signal).catch((error: unknown) => error),
        );
        void (async () => {
          for (let pass = 0; ; pass++) {
            (await encoder.heldPass()).finish();
            aborts[leavers[pass] ?? -1]?.abort('gone');
          }
        })();
        for (const [index, outcome] of (await Promise.all(outcomes)).entries()) {
          if (outcome !== 'gone') expectVectors(outcome as EmbeddingOutcome, requests[index]!);
          else expect(leavers).toContain(index);
        }
        expect(engine.state()).toMatchObject({ runningGenerations: 0, waitingGenerations: 0, pendingPrefillTokens: 0 });
        await engine.stop();
      }),
      { numRuns: 100 },
    ));

  it('given requests of the same turn, when they fit one pass, then they share it', async () => {
    const { encoder, embed } = await startedEngine();
    await Promise.all([embed([tokens(5)]), embed([tokens(5, 20), tokens(6)]), embed([tokens(4)])]);
    expect(encoder.passes.map(({ length }) => length)).toEqual([4]);
  });

  it('given a cancellation, when it waits, then nothing of it is computed and the call rejects with the reason', async () => {
    const { engine, encoder, embed } = await startedEngine();
    encoder.holds = true;
    const first = embed([tokens(32)]);
    const pass = await encoder.heldPass();
    const abort = new AbortController();
    const cancelled = embed([tokens(7), tokens(8)], abort.signal);
    expect(engine.state()).toMatchObject({ runningGenerations: 1, waitingGenerations: 1, pendingPrefillTokens: 15 });
    abort.abort('the deadline passed');
    await expect(cancelled).rejects.toBe('the deadline passed');
    expect(engine.state()).toMatchObject({ runningGenerations: 1, waitingGenerations: 0, pendingPrefillTokens: 0 });
    pass.finish();
    expectVectors(await first, [tokens(32)]);
    expect(encoder.passes).toHaveLength(1);
    await expect(embed([tokens(1)], AbortSignal.abort('before'))).rejects.toBe('before');
    expect(engine.state().waitingGenerations).toBe(0);
  });

  it('given a request in its pass and one that waits, when handed back, then the first has its vectors and the other fails as draining', async () => {
    const { engine, encoder, embed } = await startedEngine();
    encoder.holds = true;
    const first = embed([tokens(32)]);
    const pass = await encoder.heldPass();
    const waiting = embed([tokens(7)]);
    engine.handBack();
    expect(await waiting).toMatchObject({ kind: 'refused', code: FailureCode.DRAINING });
    pass.finish();
    expectVectors(await first, [tokens(32)]);
  });

  it('given a cancellation in the middle of its pass, when the pass ends, then those that share it have their vectors', async () => {
    const { encoder, embed } = await startedEngine();
    encoder.holds = true;
    const abort = new AbortController();
    const cancelled = embed([tokens(4), tokens(32)], abort.signal);
    const other = embed([tokens(5)]);
    (await encoder.heldPass()).finish(); // the longest alone
    const pass = await encoder.heldPass();
    expect(pass.inputs.map(({ length }) => length).sort()).toEqual([4, 5]);
    abort.abort('gone');
    await expect(cancelled).rejects.toBe('gone');
    pass.finish();
    expectVectors(await other, [tokens(5)]);
  });

  it('given an input whose numbers overflow, when its pass ends, then its request fails and the others are answered', async () => {
    const { engine, embed, events } = await startedEngine();
    const [bad, good] = await Promise.all([embed([tokens(4), [OVERFLOWING_TOKEN, 1, 2, 3]]), embed([tokens(4, 30)])]);
    expect(bad).toMatchObject({
      ...{ kind: 'refused', code: FailureCode.ENGINE_ERROR },
      message: 'The encoder gave a vector that is not finite for input 1.',
    });
    expectVectors(good!, [tokens(4, 30)]);
    expect(events).toEqual([]);
    expectVectors(await embed([tokens(3)]), [tokens(3)]);
    expect(engine.state()).toMatchObject({ runningGenerations: 0, pendingPrefillTokens: 0 });
  });

  it('given a pass that fails, when it was shared, then all requests fail, the engine is lost, closed, and can be started again', async () => {
    const { engine, encoder, embed, events } = await startedEngine();
    encoder.holds = true;
    const outcomes = [embed([tokens(4)]), embed([tokens(4), tokens(32)]), embed([tokens(30)])];
    (await encoder.heldPass()).fail(new Error('out of memory'));
    for (const outcome of await Promise.all(outcomes)) {
      expect(outcome).toMatchObject({ code: FailureCode.ENGINE_ERROR, message: 'The engine failed: out of memory' });
    }
    expect(await embed([tokens(1)])).toMatchObject({ code: FailureCode.ENGINE_ERROR, retryAfterMs: 1_000 });
    await engine.stop();
    expect(events).toEqual([{ kind: 'engine-lost', message: 'The engine failed: out of memory' }]);
    expect(encoder.closes).toBe(1);
    encoder.holds = false;
    await engine.start(NEVER);
    expectVectors(await embed([tokens(2)]), [tokens(2)]);
  });

  it('given a listener that starts it again at once, when the engine was lost, then the next request is computed', async () => {
    const { engine, encoder, embed } = await startedEngine();
    encoder.holds = true;
    const restarted = Promise.withResolvers<EmbeddingOutcome>();
    engine.onEvent(() => {
      encoder.holds = false;
      void engine.start(NEVER).then(() => restarted.resolve(embed([tokens(2)])));
    });
    const lost = embed([tokens(4)]);
    (await encoder.heldPass()).fail(new Error('broken'));
    expect(await lost).toMatchObject({ code: FailureCode.ENGINE_ERROR });
    expectVectors(await restarted.promise, [tokens(2)]);
  });

  it('given requests that run and wait, when stopped, then they end with a retryable failure and nothing is said to be lost', async () => {
    const { engine, encoder, embed, events } = await startedEngine();
    encoder.holds = true;
    const outcomes = [embed([tokens(32), tokens(31)]), embed([tokens(3)])];
    await encoder.heldPass();
    await Promise.all([engine.stop(), engine.stop()]);
    for (const outcome of await Promise.all(outcomes)) {
      expect(outcome).toMatchObject({ code: FailureCode.ENGINE_ERROR, message: 'The engine was stopped.' });
    }
    expect(encoder.closes).toBe(1);
    expect(encoder.passes).toHaveLength(1);
    expect(events).toEqual([]);
    expect(engine.state()).toMatchObject({ runningGenerations: 0, waitingGenerations: 0, pendingPrefillTokens: 0 });
    expect(await embed([tokens(1)])).toMatchObject({ kind: 'refused', code: FailureCode.ENGINE_ERROR });
  });

  it('given as many requests as may wait, when one more comes, then it is refused as saturated, until one has left', async () => {
    const { encoder, embed } = await startedEngine({ waitingRequests: 2 });
    encoder.holds = true;
    const abort = new AbortController();
    const held = [embed([tokens(2)]), embed([tokens(30)], abort.signal).catch(() => undefined)];
    expect(await embed([tokens(3)])).toMatchObject({ code: FailureCode.SATURATED, retryAfterMs: 100 });
    abort.abort();
    const next = embed([tokens(3)]);
    encoder.holds = false;
    (await encoder.heldPass()).finish();
    expectVectors(await next, [tokens(3)]);
    await Promise.all(held);
  });

  it('given a bound of tokens, when a request would pass it, then it is refused as saturated; alone it is served', async () => {
    const { encoder, embed } = await startedEngine({ heldTokens: 40 });
    encoder.holds = true;
    const first = embed([tokens(20)]);
    expect(await embed([tokens(21)])).toMatchObject({ code: FailureCode.SATURATED });
    encoder.holds = false;
    (await encoder.heldPass()).finish();
    expectVectors(await first, [tokens(20)]);
    const large = [tokens(32), tokens(32), tokens(32)];
    expectVectors(await embed(large), large);
  });

  it('given a bound of inputs over all requests, when one more input would pass it, then it is refused as saturated', async () => {
    const { engine, encoder, embed } = await startedEngine({ waitingRequests: 64 });
    encoder.holds = true;
    const most = Array.from({ length: 2_048 }, () => [1]);
    const held = Array.from({ length: 32 }, () => embed(most));
    expect(await embed([[1]])).toMatchObject({
      code: FailureCode.SATURATED,
      message: 'Too much waits for the encoder.',
    });
    await engine.stop();
    for (const outcome of await Promise.all(held)) expect(outcome).toMatchObject({ code: FailureCode.ENGINE_ERROR });
  });

  it.each([
    ['no input', [], 'input', 'expected 1 to 2048 inputs, but got 0'],
    ['too many', Array.from({ length: 2_049 }, () => [1]), 'input', 'expected 1 to 2048 inputs, but got 2049'],
    ['an empty one', [[1], []], 'input[1]', 'expected 1 to 32 tokens, but got 0'],
    ['one over the context', [[1], tokens(33)], 'input[1]', 'expected 1 to 32 tokens, but got 33'],
    ['an id outside', [[99], [1, 100]], 'input[1]', "a token id is outside the model's vocabulary of 100 tokens"],
    ['an id below', [[-1]], 'input[0]', "a token id is outside the model's vocabulary of 100 tokens"],
    ['a fraction', [[1.5]], 'input[0]', "a token id is outside the model's vocabulary of 100 tokens"],
  ])('given %s, when asked, then it is refused by name and nothing runs', async (_name, inputs, parameter, message) => {
    const { encoder, embed } = await startedEngine();
    expect(await embed(inputs)).toEqual({ kind: 'refused', code: FailureCode.INVALID_REQUEST, message, parameter });
    expect(encoder.passes).toEqual([]);
  });

  it('given another model or a generation, when asked, then it is refused', async () => {
    const { engine } = await startedEngine();
    expect(await engine.embed({ modelId: 'other', inputs: [[1]] }, NEVER)).toMatchObject({
      ...{ code: FailureCode.UNKNOWN_MODEL, parameter: 'model' },
    });
    expect(engine.submit(requestOf({ modelId: MODEL_ID }))).toMatchObject({ kind: 'refused', parameter: 'model' });
  });
});
