import { afterAll, beforeAll, expect, it } from 'vitest';
import { ExactModel } from './support/exactness/exact-model.js';
import type { Command, ScheduledRequest } from './support/exactness/schedule.js';

/** 16 positions a page; the requests below come to have 22 pages, and are admitted with 13. */
const OPTIONS = { contextTokens: 128, kvPages: 13, maxSequences: 5, chunkTokens: 34 };

/** A text of the vocabulary's middle; prompts that begin alike begin like it. */
const TEXT = Array.from({ length: 70 }, (_, at) => 1_000 + ((at * 7_919) % 40_000));

let model: ExactModel;
beforeAll(async () => {
  model = await ExactModel.load('smollm2-135m-instruct', OPTIONS);
}, 600_000);
afterAll(() => model?.close());

function submit(promptTokens: number, maxTokens: number, rest: Partial<ScheduledRequest> = {}): Command {
  const request: ScheduledRequest = {
    promptTokenIds: TEXT.slice(0, promptTokens),
    sequenceCount: 1,
    initialCredit: 1_000,
    ...rest,
    sampling: { seed: promptTokens, reportLogprobs: true, ...rest.sampling },
    stop: { maxTokens, ignoreEos: true },
  };
  return { kind: 'submit', request };
}

const passes = (count: number): Command => ({ kind: 'passes', count });

it('given SmolLM2-135M-Instruct and too little memory, then each sequence is, to the bit, what it is alone and uninterrupted', async () => {
  const result = await model.expectUndisturbed([
    submit(41, 10, { sequenceCount: 2, sampling: { temperature: 1 } }),
    passes(1),
    submit(60, 22),
    passes(4),
    submit(45, 22, { sampling: { temperature: 1.3, frequencyPenalty: 0.5 }, initialCredit: 6 }),
    passes(5),
    submit(35, 16, { sampling: { temperature: 0.7, topP: 0.9 } }),
    passes(8),
    { kind: 'credit', which: 2, tokens: 4 },
  ]);
  await model.expectResumable(result);
  const { preemptions, laterChunks, copies, cachedTokens, resumed } = model.seen;
  for (const count of [preemptions, laterChunks, copies, cachedTokens, resumed]) expect(count).toBeGreaterThan(0);
}, 300_000);
