import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FailureCode } from '#lib/contracts';
import { EventLog } from '../../testing/event-log.js';
import { requestOf } from '../../testing/requests.js';
import type { Fault } from '../../testing/synthetic-thread-entry.js';
import { describeEngine } from '../engine.conformance.js';
import { EngineStuckError } from '../engine-stuck-error.js';
import { EngineThread, type EngineThreadOptions } from './engine-thread.js';

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

const threadWith = (fault: Fault, options: Partial<EngineThreadOptions> = {}) =>
  new EngineThread({
    entry: pathToFileURL(BUNDLE),
    workerData: { fault },
    stepTimeoutMs: STEP_TIMEOUT_MS,
    execArgv: [],
    ...options,
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

  describe('given a thread that is stuck in a native call', () => {
    const folder = mkdtempSync(join(tmpdir(), 'engine-thread-'));
    afterAll(() => rmSync(folder, { recursive: true }));

    async function stuck(name: string) {
      const pipe = join(folder, name);
      execFileSync('mkfifo', [pipe]);
      let threadsGone = 0;
      const engine = threadWith('native', {
        workerData: { fault: 'native', pipe },
        ...{ stopTimeoutMs: 50, endTimeoutMs: 500 },
        onThreadGone: () => threadsGone++,
      });
      const log = new EventLog(engine);
      await engine.start(NEVER);
      const { generationId } = requestOf({});
      engine.submit(requestOf({ generationId, stop: { maxTokens: 100 } }));
      const writer = await untilRead(pipe);
      /** However long the thread takes to end on a loaded machine. */
      const stopped = (): Promise<void> =>
        engine.stop().catch((error: unknown) => {
          if (!(error instanceof EngineStuckError)) throw error;
          return stopped();
        });
      return { engine, log, generationId, release: () => closeSync(writer), stopped, threadsGone: () => threadsGone };
    }

    /** Resolves with the writing end when the thread is in the call, which lasts until it is closed. */
    async function untilRead(pipe: string): Promise<number> {
      for (;;) {
        try {
          return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error; // nobody reads yet
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }

    it('when it is noticed, then it is not started beside it, but again once the call has returned', async () => {
      const { engine, log, generationId, release, stopped, threadsGone } = await stuck('hang');
      await log.until(() => log.isEngineLost);
      expect(log.of(generationId).failure).toMatchObject({ code: FailureCode.ENGINE_ERROR, retryable: true });
      await expect(engine.start(NEVER)).rejects.toThrow(EngineStuckError);
      await expect(engine.start(NEVER)).rejects.toThrow(EngineStuckError);
      expect(threadsGone()).toBe(0);
      release();
      await stopped();
      expect(threadsGone()).toBe(1);
      await engine.start(NEVER);
      await stopped();
      expect(threadsGone()).toBe(2);
    });

    it('when it is stopped, then what runs fails and it rejects instead of waiting for ever', async () => {
      const { engine, log, generationId, release, stopped } = await stuck('stop');
      await expect(engine.stop()).rejects.toThrow(EngineStuckError);
      expect(log.of(generationId)).toMatchObject({ ends: 1, failure: { message: 'The engine was stopped.' } });
      expect(log.isEngineLost).toBe(false);
      release();
      await stopped();
    });
  });

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
