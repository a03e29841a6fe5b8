import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExactModel } from './support/exactness/exact-model.js';
import { schedules } from './support/exactness/schedule.js';

/** 16 to 32 positions a page: five or six sequences of this length do not fit at once. */
const LIMITS = { promptTokens: 140, maxTokens: 40, requests: 6 };
const OPTIONS = { contextTokens: 192, kvPages: 9, maxSequences: 6, chunkTokens: 50 };

describe.each(['llama', 'llama-rope3'])('exact numerics on the tiny model %s', (name) => {
  let model: ExactModel;
  beforeAll(async () => {
    model = await ExactModel.load(name, OPTIONS);
  });
  afterAll(() => model?.close());

  it('given any schedule, then each sequence is, to the bit, what it is alone, unchunked, undisturbed, unforked and uninterrupted', async () => {
    await fc.assert(
      fc.asyncProperty(schedules({ ...LIMITS, vocabularySize: model.vocabularySize }), async (schedule) => {
        await model.expectResumable(await model.expectUndisturbed(schedule));
      }),
      { numRuns: 30, endOnFailure: true },
    );
    for (const [what, count] of Object.entries(model.seen)) expect(count, what).toBeGreaterThan(0);
  }, 300_000);
});
