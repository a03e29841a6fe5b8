import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadModel } from './support/exactness/loaded-model.js';
import { runSchedule } from './support/exactness/run-schedule.js';
import { schedules } from './support/exactness/schedule.js';

it.each(['int8', 'int4', 'w8a8'] as const)(
  'given fast numerics in %s, when the same schedule runs twice, then tokens and log-probabilities repeat to the bit',
  async (weights) => {
    const model = await loadModel('llama', weights);
    const options = { threads: 2, kvBytes: 450_000, contextTokens: 192, maxSequences: 6, chunkTokens: 50 };
    const runners = [await model.runner(options), await model.runner(options)];
    const limits = { vocabularySize: model.vocabularySize, promptTokens: 140, maxTokens: 40, requests: 6 };
    for (const schedule of fc.sample(schedules(limits), { seed: 3, numRuns: 6 })) {
      const [first, second] = [
        await runSchedule(runners[0]!, model.text, schedule),
        await runSchedule(runners[1]!, model.text, schedule),
      ];
      const sequencesOf = ({ outcomes }: typeof first) => outcomes.map(({ outcome }) => [...outcome.sequences]);
      expect(sequencesOf(second!)).toEqual(sequencesOf(first!));
    }
    await Promise.all(runners.map((runner) => runner.close()));
  },
  120_000,
);
