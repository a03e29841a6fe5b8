import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { FailureCode, FinishReason } from '#lib/contracts';
import { requestOf } from '../libs/engine/testing/requests.js';
import { ENGINE_FAULT_ENV, FAULT_SEEDS } from './support/engine-fault.js';
import { eventually } from './support/eventually.js';
import { HealthWatch } from './support/health-watch.js';
import { metricSum } from './support/metrics.js';
import { TestFleet } from './support/test-fleet.js';
import { TestSession } from './support/test-session.js';
import { WorkerProcess } from './support/worker-process.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
const golden = JSON.parse(readFileSync(join(MODEL, 'golden.json'), 'utf8')) as {
  cases: { prompt: number[]; greedy: number[] }[];
};
const home = mkdtempSync(join(tmpdir(), 'hydra-home-'));
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});
afterAll(() => rmSync(home, { recursive: true }));

/** A worker with the embedded engine, in the fleet, and a gateway's session with it. */
async function started(env: Readonly<Record<string, string>> = {}) {
  const fleet = await new TestFleet().listen();
  closers.push(() => fleet.kill());
  const worker = new WorkerProcess({
    ...ENGINE_FAULT_ENV,
    HYDRA_ENGINE: 'onnx',
    HYDRA_MODEL: MODEL,
    HYDRA_HOME: home,
    HYDRA_THREADS: '2',
    HYDRA_KV_BYTES: String(8 * 1024 * 1024),
    HYDRA_STEP_TIMEOUT_MS: '2000',
    HYDRA_SCHEDULER_TARGET: fleet.target,
    ...env,
  });
  closers.push(() => worker.signal('SIGKILL'));
  const { httpPort, grpcPort } = await worker.ready();
  const session = await TestSession.open(grpcPort);
  session.call.on('error', () => {}); // a worker that ends breaks it off
  const health = new HealthWatch(grpcPort);
  closers.push(() => health.close());
  await fleet.until(() => fleet.of('registration').length === 1);
  const { workerEpoch } = session.welcome!;
  const [{ prompt, greedy }] = golden.cases as [(typeof golden.cases)[0]];
  const submit = (parts: { maxTokens: number; seed?: number; initialCredit?: number }) =>
    session.submit(
      requestOf({
        modelId: 'llama',
        workerEpoch,
        promptTokenIds: prompt,
        initialCredit: parts.initialCredit ?? 1_000,
        sampling: { seed: parts.seed ?? 0 },
        stop: { maxTokens: parts.maxTokens },
      }),
    );
  const metric = async (name: string, labels = {}) =>
    metricSum(await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text(), name, labels);
  return { fleet, worker, session, health, submit, metric, greedy };
}

/** One that rests, one that runs, and one that breaks the engine; @returns when all have ended */
async function broken({ session, submit }: Awaited<ReturnType<typeof started>>, seed: number, message: RegExp) {
  const resting = submit({ maxTokens: 400, initialCredit: 1 });
  const running = submit({ maxTokens: 400 });
  await session.until(() => session.tokenIds(resting).length === 1 && session.tokenIds(running).length > 0);
  const breaking = submit({ maxTokens: 400, seed });
  for (const id of [resting, breaking]) {
    await session.end(id);
    expect(session.failed(id)).toMatchObject({
      code: FailureCode.ENGINE_ERROR,
      retryable: true,
      message: expect.stringMatching(message),
    });
  }
}

describe.skipIf(process.platform === 'win32')('a worker with the embedded engine', { timeout: 120_000 }, () => {
  it.each([
    ['throws', FAULT_SEEDS.throws, /^The engine failed: a fault of the test$/],
    ['hangs in JavaScript', FAULT_SEEDS.jsHang, /^The engine failed: a step did not end within 2 s$/],
  ])(
    'given a thread that %s, then what was open fails retryable, the worker is unready, starts its engine again and answers',
    async (_how, seed, message) => {
      const all = await started();
      const { fleet, worker, session, health, submit, metric, greedy } = all;
      await broken(all, seed, message);
      await fleet.until(() => fleet.leaves === 1);
      await health.until((statuses) => statuses.length >= 3);
      expect(health.statuses).toEqual(['SERVING', 'NOT_SERVING', 'SERVING']);
      await fleet.until(() => fleet.of('registration').length === 2);

      const after = submit({ maxTokens: greedy.length });
      await session.end(after);
      expect(session.finishReason(after)).toBe(FinishReason.LENGTH);
      expect(session.tokenIds(after)).toEqual(greedy);
      expect(await metric('hydra_worker_engine_up')).toBe(1);
      expect(await metric('hydra_worker_engine_losses_total')).toBe(1);
      expect(await metric('hydra_worker_engine_starts_total', { outcome: 'succeeded' })).toBe(2);
      expect(await worker.stop()).toBe(0);
    },
  );

  it.each([
    ['its thread', FAULT_SEEDS.nativeHang],
    ['a call that its thread waits for', FAULT_SEEDS.nativeHangAside],
  ])(
    'given a native call in %s that does not return, then what was open fails retryable and the process ends for its supervisor',
    async (_where, seed) => {
      const all = await started();
      const { fleet, worker, health } = all;
      await broken(all, seed, /^The engine failed: a step did not end within 2 s$/);
      await fleet.until(() => fleet.leaves === 1);
      expect(await worker.exited).toBe(70);
      expect(health.statuses).toEqual(['SERVING', 'NOT_SERVING']);
      const fatal = worker.lines.filter(({ level }) => level === 'fatal').map(({ message }) => message);
      expect(fatal).toEqual([expect.stringContaining('is stuck in a native call and cannot be ended')]);
    },
  );

  it('given a native call that does not return, when SIGTERM comes, then the process ends all the same', async () => {
    const { worker, session, submit } = await started({
      HYDRA_STEP_TIMEOUT_MS: '600000',
      HYDRA_DRAIN_TIMEOUT_MS: '50',
    });
    const id = submit({ maxTokens: 400, seed: FAULT_SEEDS.nativeHang });
    await session.until(() => session.tokenIds(id).length > 0);
    worker.signal('SIGTERM');
    await session.end(id);
    expect(session.failed(id)).toMatchObject({ code: FailureCode.DRAINING, retryable: true });
    expect(await worker.exited).toBe(70);
  });

  it('given an engine that breaks again and again, then the waits grow, the process ends after five restarts, and metrics tell', async () => {
    const { worker, health, session, submit, metric } = await started();
    for (let losses = 1; losses <= 6; losses++) {
      await health.until((statuses) => statuses.length >= 2 * losses - 1);
      if (losses > 1) await eventually(async () => (await metric('hydra_worker_engine_losses_total')) === losses - 1);
      await session.end(submit({ maxTokens: 400, seed: FAULT_SEEDS.throws }));
    }
    expect(await worker.exited).toBe(70);
    const waits = worker.lines.map(({ retry_ms }) => retry_ms).filter((ms) => typeof ms === 'number');
    expect(waits).toHaveLength(5);
    waits.forEach((ms, i) => {
      expect(ms).toBeGreaterThanOrEqual(125 * 2 ** i);
    });
    const fatal = worker.lines.filter(({ level }) => level === 'fatal').map(({ message }) => message);
    expect(fatal).toEqual(['The engine is lost: The engine failed: a fault of the test (5 restarts in a row)']);
  });
});
