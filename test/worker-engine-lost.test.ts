import { afterEach, expect, it } from 'vitest';
import { FailureCode } from '#lib/contracts';
import { requestOf } from '../libs/engine/testing/requests.js';
import { TestFleet } from './support/test-fleet.js';
import { TestSession } from './support/test-session.js';
import { WorkerProcess } from './support/worker-process.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

it('given an engine that breaks, when it does, then what runs fails retryable, the worker leaves the fleet, and it serves again', async () => {
  const fleet = await new TestFleet().listen();
  closers.push(() => fleet.kill());
  const worker = new WorkerProcess({
    HYDRA_ENGINE: 'mock',
    HYDRA_MOCK_TTFT_MS: '0',
    HYDRA_MOCK_ITL_MS: '1',
    HYDRA_MOCK_CRASH_EVERY: '2',
    HYDRA_SCHEDULER_TARGET: fleet.target,
  });
  closers.push(() => worker.signal('SIGKILL'));
  const { grpcPort } = await worker.ready();
  const session = await TestSession.open(grpcPort);
  const { workerEpoch } = session.welcome!;
  const submit = (maxTokens: number, initialCredit = 1_000) =>
    session.submit(requestOf({ modelId: 'smollm2-135m-instruct', workerEpoch, initialCredit, stop: { maxTokens } }));
  await fleet.until(() => fleet.of('registration').length === 1);

  const resting = submit(100, 1);
  await session.until(() => session.tokenIds(resting).length === 1);
  const breaking = submit(100);
  for (const id of [resting, breaking]) {
    await session.end(id);
    expect(session.failed(id)).toMatchObject({
      code: FailureCode.ENGINE_ERROR,
      retryable: true,
      message: 'The engine failed: the mock was told to break',
    });
  }
  await fleet.until(() => fleet.leaves === 1);
  await fleet.until(() => fleet.of('registration').length === 2);

  const after = submit(10);
  await session.end(after);
  expect(session.failed(after)).toBeUndefined();
  expect(session.tokenIds(after)).toHaveLength(10);
});
