import { expect, it } from 'vitest';
import { FailureCode } from '#lib/contracts';
import { EventLog } from '../../testing/event-log.js';
import { requestOf } from '../../testing/requests.js';
import { syntheticEngine } from '../../testing/synthetic-engine.js';
import { SyntheticModelRunner } from '../../testing/synthetic-model-runner.js';
import { describeEngine } from '../engine.conformance.js';

const PROMPTS = [[1, 2, 3], [4], Array.from({ length: 30 }, (_, i) => (i * 7) % 60), [9, 8, 7, 6, 5, 4, 3, 2, 1]];

describeEngine('the step loop over the synthetic model', async () => ({
  engine: syntheticEngine(() => new SyntheticModelRunner({ slots: 6, kvTotalBytes: 6 * 128 })),
  prompts: PROMPTS,
}));

it('given a runner that breaks, when a step runs, then all generations fail retryable, the engine is lost, and it can start again', async () => {
  let isBroken = true;
  const runners: SyntheticModelRunner[] = [];
  const engine = syntheticEngine(() => {
    const onRun = () => (isBroken ? Promise.reject(new Error('out of memory')) : undefined);
    const runner = new SyntheticModelRunner({ slots: 1, onRun });
    runners.push(runner);
    return runner;
  });
  const log = new EventLog(engine);
  await engine.start(new AbortController().signal);
  const requests = [requestOf({}), requestOf({})];
  for (const request of requests) engine.submit(request);
  await log.until(() => log.isEngineLost);
  for (const { generationId } of requests) {
    expect(log.of(generationId)).toMatchObject({
      ends: 1,
      failure: { code: FailureCode.ENGINE_ERROR, retryable: true, message: 'The engine failed: out of memory' },
    });
  }
  expect(runners[0]?.isClosed).toBe(true);
  expect(engine.submit(requestOf({}))).toMatchObject({ kind: 'refused', code: FailureCode.ENGINE_ERROR });

  isBroken = false;
  await engine.start(new AbortController().signal);
  const again = requestOf({});
  engine.submit(again);
  expect((await log.end(again.generationId)).failure).toBeUndefined();
  await engine.stop();
});
