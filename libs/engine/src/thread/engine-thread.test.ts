import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { beforeAll, describe, expect, it } from 'vitest';
import { FailureCode } from '#lib/contracts';
import { EventLog } from '../../testing/event-log.js';
import { requestOf } from '../../testing/requests.js';
import type { Fault } from '../../testing/synthetic-thread-entry.js';
import { describeEngine } from '../engine.conformance.js';
import { EngineThread } from './engine-thread.js';

/** Below node_modules, so that the packages it imports are found. */
const BUNDLE = fileURLToPath(new URL('../../../../node_modules/.cache/hydra/engine-thread-entry.mjs', import.meta.url));
/** Longer than any step of the synthetic engine, also on a loaded machine. */
const STEP_TIMEOUT_MS = 1_500;
const NEVER = new AbortController().signal;

/** A thread runs JavaScript: the entry and all of ours that it imports become one file. */
beforeAll(async () => {
  const bundle = await rolldown({
    input: fileURLToPath(new URL('../../testing/synthetic-thread-entry.ts', import.meta.url)),
    platform: 'node',
    external: (id) => /^(node:|@?\w)/.test(id),
    resolve: { conditionNames: ['hydra-source', 'node', 'import', 'default'] },
  });
  await bundle.write({ file: BUNDLE });
  await bundle.close();
});

const threadWith = (fault: Fault) =>
  new EngineThread({
    entry: pathToFileURL(BUNDLE),
    workerData: { fault },
    stepTimeoutMs: STEP_TIMEOUT_MS,
    execArgv: [],
  });

describeEngine('an engine in a thread', async () => ({
  engine: threadWith('none'),
  prompts: [[1, 2, 3], [4], Array.from({ length: 30 }, (_, i) => (i * 7) % 60), [9, 8, 7, 6, 5, 4]],
}));

describe('EngineThread', () => {
  it.each([
    ['runner', 'The engine failed: out of memory'],
    ['thread', 'The engine failed: a callback failed'],
    ['exit', 'The engine failed: its thread ended with code 3'],
    ['busy', 'The engine failed: a step did not end within 1.5 s'],
    ['silent', 'The engine failed: a step did not end within 1.5 s'],
  ] as const)(
    'given a fault of kind %s, when it happens, then all generations fail once, retryable, and the engine is lost',
    async (fault, message) => {
      const engine = threadWith(fault);
      const log = new EventLog(engine);
      await engine.start(NEVER);
      const requests = Array.from({ length: 3 }, () => requestOf({ stop: { maxTokens: 100 } }));
      for (const request of requests) expect(engine.submit(request).kind).toBe('accepted');
      await log.until(() => log.isEngineLost);
      for (const { generationId } of requests) {
        expect(log.of(generationId)).toMatchObject({
          ends: 1,
          lateEntries: 0,
          failure: { code: FailureCode.ENGINE_ERROR, retryable: true, message },
        });
      }
      expect(engine.state()).toMatchObject({ runningGenerations: 0, waitingGenerations: 0, kvUsedBytes: 0 });
      expect(engine.submit(requestOf({}))).toMatchObject({ kind: 'refused', code: FailureCode.ENGINE_ERROR });

      await engine.start(NEVER);
      const again = requestOf({ stop: { maxTokens: 3 } });
      engine.submit(again);
      expect((await log.end(again.generationId)).failure).toBeUndefined();
      await engine.stop();
    },
  );

  it('given a model that cannot be loaded, when started, then it rejects with the sentence and no event comes', async () => {
    const engine = threadWith('load');
    const log = new EventLog(engine);
    await expect(engine.start(NEVER)).rejects.toThrow('The model is not there.');
    expect(log.isEngineLost).toBe(false);
  });

  it('given a generation that rests without credit, when it rests for longer than a step may take, then it goes on after', async () => {
    const engine = threadWith('none');
    const log = new EventLog(engine);
    await engine.start(NEVER);
    const { generationId, ...request } = requestOf({ initialCredit: 1, stop: { maxTokens: 5 } });
    engine.submit({ generationId, ...request });
    await log.until(() => log.sequence(generationId).tokenIds.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 2 * STEP_TIMEOUT_MS));
    engine.credit(generationId, 10);
    expect((await log.end(generationId)).failure).toBeUndefined();
    await engine.stop();
  });

  it('given an abort while it starts, then it rejects with the reason', async () => {
    const abort = new AbortController();
    const started = threadWith('none').start(abort.signal);
    abort.abort(new Error('stopping'));
    await expect(started).rejects.toThrow('stopping');
  });
});
