import { afterEach, describe, expect, it } from 'vitest';
import { FailureCode, FinishReason } from '#lib/contracts';
import { EventLog } from '../../testing/event-log.js';
import { type RequestParts, requestOf } from '../../testing/requests.js';
import { describeEngine } from '../engine.conformance.js';
import type { Engine } from '../engine.js';
import { type MockEngineOptions, mockEngine } from './mock-engine.js';

const OPTIONS: MockEngineOptions = {
  modelId: 'mock',
  waitingGenerations: 16,
  ttftMs: 0,
  itlMs: 0,
  kvTokens: 4_096,
  slots: 8,
  contextTokens: 512,
  prefixCache: true,
  failEveryRequests: 0,
};
const PROMPTS = ['Hello', 'What is the capital of France?', 'Once upon a time', 'The'].map((text) => [
  ...Buffer.from(text),
]);

describeEngine('the mock', async () => ({ engine: mockEngine(OPTIONS), prompts: PROMPTS }));
describeEngine('the mock with times', async () => ({
  engine: mockEngine({ ...OPTIONS, ttftMs: 2, itlMs: 0.5 }),
  prompts: PROMPTS,
}));

let engine: Engine | undefined;
afterEach(() => engine?.stop());

async function start(options: Partial<MockEngineOptions> = {}) {
  engine = mockEngine({ ...OPTIONS, ...options });
  const log = new EventLog(engine);
  await engine.start(new AbortController().signal);
  const run = async (parts: RequestParts) => {
    const request = requestOf({ modelId: 'mock', promptTokenIds: PROMPTS[0], ...parts });
    expect(engine?.submit(request).kind).toBe('accepted');
    const outcome = await log.end(request.generationId);
    return { ...outcome, ...log.sequence(request.generationId) };
  };
  return { engine, log, run };
}

describe('the mock', () => {
  it('given no limit, when run, then readable words come and the answer ends by itself', async () => {
    const { run } = await start({ contextTokens: 4_096 });
    const answer = await run({ stop: { maxTokens: 4_000, ignoreEos: false } });
    expect(answer.finishReason).toBe(FinishReason.STOP);
    expect(answer.stopMatch).toBe('');
    expect(answer.text).toMatch(/^( [A-Za-z]+\.?)+/);
    expect(answer.tokenIds.length).toBeGreaterThan(256);
    expect(answer.tokenIds.at(-1)).toBe(257);
  });

  it('given an end that is ignored, when run for long, then text goes on after it, every token but one', async () => {
    const { run } = await start({ contextTokens: 4_096 });
    const own = await run({ stop: { maxTokens: 4_000, ignoreEos: false } });
    const answer = await run({ stop: { maxTokens: 2_000 } });
    expect(answer.finishReason).toBe(FinishReason.LENGTH);
    expect(answer.tokenIds).toHaveLength(2_000);
    expect(answer.tokenIds.filter((id) => id === 257)).toHaveLength(1);
    expect(answer.text).toHaveLength(1_999);
    expect(answer.text.startsWith(own.text)).toBe(true);
    expect(answer.text).toMatch(/^( [A-Za-z]+\.?)+$/);
  });

  it('given an answer that was resumed after its ignored end, when run, then it is the same answer', async () => {
    const { run } = await start({ contextTokens: 4_096 });
    const whole = await run({ stop: { maxTokens: 700 } });
    const acceptedTokenIds = whole.tokenIds.slice(0, 600);
    const rest = await run({ acceptedTokenIds, stop: { maxTokens: 700 } });
    expect(rest.tokenIds).toEqual(whole.tokenIds.slice(600));
  });

  it('given min_tokens beyond the end, when run, then the answer ends there', async () => {
    const { run } = await start({ contextTokens: 4_096 });
    const answer = await run({ stop: { maxTokens: 4_000, minTokens: 900, ignoreEos: false } });
    expect(answer.finishReason).toBe(FinishReason.STOP);
    expect(answer.tokenIds).toHaveLength(901);
  });

  it('given a prompt seen before, when run again, then its full blocks are cached, under its salt only', async () => {
    const { run } = await start();
    const promptTokenIds = Array.from({ length: 50 }, (_, i) => i);
    expect((await run({ promptTokenIds })).usage?.cachedPromptTokens).toBe(0);
    expect((await run({ promptTokenIds })).usage?.cachedPromptTokens).toBe(48);
    expect((await run({ promptTokenIds: [...promptTokenIds.slice(0, 20), 99] })).usage?.cachedPromptTokens).toBe(16);
    expect((await run({ promptTokenIds, cacheSalt: Buffer.from('x') })).usage?.cachedPromptTokens).toBe(0);
  });

  it('given failures on demand, when every third request comes, then it fails after its third token', async () => {
    const { run } = await start({ failEveryRequests: 3 });
    const outcomes = [await run({}), await run({}), await run({}), await run({})];
    expect(outcomes.map(({ failure }) => failure?.code)).toEqual([
      undefined,
      undefined,
      FailureCode.ENGINE_ERROR,
      undefined,
    ]);
    expect(outcomes[2]?.tokenIds).toHaveLength(3);
  });

  it('given streams without pause at ITL 0, when they run, then timers and sockets still have their turn', async () => {
    const { run } = await start({ contextTokens: 8_192, kvTokens: 65_536 });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await Promise.all(Array.from({ length: 8 }, () => run({ stop: { maxTokens: 2_000 } })));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
  });

  it('given eight streams, when they run together, then one step carries all of them', async () => {
    const { run, log } = await start();
    await Promise.all(Array.from({ length: 8 }, () => run({ stop: { maxTokens: 8 } })));
    expect(log.steps).toHaveLength(8);
    for (const step of log.steps) expect(step.entries).toHaveLength(8);
  });
});
