import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { requestOf } from '../libs/engine/testing/requests.js';
import { TestFleet } from './support/test-fleet.js';
import { TestSession } from './support/test-session.js';
import { WorkerProcess } from './support/worker-process.js';

const MOCK = { HYDRA_ENGINE: 'mock', HYDRA_MOCK_SLOTS: '1', HYDRA_MOCK_TTFT_MS: '5', HYDRA_MOCK_ITL_MS: '1' };
const ONNX = {
  HYDRA_ENGINE: 'onnx',
  HYDRA_MODEL: fileURLToPath(new URL('data/models/llama', import.meta.url)),
  HYDRA_HOME: mkdtempSync(join(tmpdir(), 'hydra-home-')),
  HYDRA_THREADS: '1',
  HYDRA_MAX_SEQUENCES: '1',
};
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

it.each([
  ['mock', 'fifo', MOCK, ['first', 'long', 'short']],
  ['mock', 'srpt', MOCK, ['first', 'short', 'long']],
  ['ONNX', 'srpt', ONNX, ['first', 'short', 'long']],
] as const)(
  'given a %s worker of order %s with one place, when a long prompt waits before a short one, then it says so to the scheduler and keeps to it',
  async (_, order, env, expected) => {
    const fleet = await new TestFleet().listen();
    closers.push(() => fleet.kill());
    const worker = new WorkerProcess({ ...env, HYDRA_WORKER_ORDER: order, HYDRA_SCHEDULER_TARGET: fleet.target });
    closers.push(() => worker.stop());
    const { grpcPort } = await worker.ready();
    await fleet.until(() => fleet.of('registration').length > 0);
    const [model] = fleet.of('registration')[0]!.models;
    expect(model?.prefillOrder).toBe(order);

    const session = await TestSession.open(grpcPort);
    closers.push(() => session.close());
    const { workerEpoch } = session.welcome!;
    const submit = (generationId: string, promptTokens: number, maxTokens: number) =>
      session.submit(
        requestOf({
          ...{ generationId, modelId: model!.modelId, workerEpoch, stop: { maxTokens } },
          promptTokenIds: Array.from({ length: promptTokens }, (_, index) => 5 + (index % 90)),
        }),
      );
    // The first one has the place before the others come, or is the shortest.
    for (const id of [submit('first', 1, 100), submit('long', 300, 4), submit('short', 20, 4)]) await session.end(id);
    const begun = session.received.flatMap((message) =>
      message.$case === 'frame' ? message.value.entries.map(({ generationId }) => generationId) : [],
    );
    expect([...new Set(begun)]).toEqual(expected);
  },
);
