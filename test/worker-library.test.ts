import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { requestOf } from '../libs/engine/testing/requests.js';
import { ENGINE_FAULT_ENV, FAULT_SEEDS } from './support/engine-fault.js';
import { eventually } from './support/eventually.js';
import { LibraryTree } from './support/library-tree.js';
import { metricSum } from './support/metrics.js';
import { TestSession } from './support/test-session.js';
import { WorkerProcess } from './support/worker-process.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
let home: string;
let tree: LibraryTree;
let worker: WorkerProcess | undefined;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'hydra-home-'));
});
afterEach(() => {
  worker?.signal('SIGKILL');
  tree.remove();
});
afterAll(() => rmSync(home, { recursive: true }));

function start(settings: Readonly<Record<string, string>> = {}): WorkerProcess {
  const env = {
    ...ENGINE_FAULT_ENV,
    HYDRA_ENGINE: 'onnx',
    HYDRA_MODEL: MODEL,
    HYDRA_HOME: home,
    HYDRA_KV_BYTES: String(8 * 1024 * 1024),
    ...settings,
  };
  worker = new WorkerProcess(env, tree.main);
  return worker;
}

const messages = ({ lines }: WorkerProcess, level: string) =>
  lines.filter((line) => line['level'] === level).map(({ message }) => String(message));

/** Breaks the engine of a worker that runs. */
async function breakEngine(grpcPort: number): Promise<void> {
  const session = await TestSession.open(grpcPort);
  session.call.on('error', () => {});
  const { workerEpoch } = session.welcome!;
  await session.end(
    session.submit(
      requestOf({ modelId: 'llama', workerEpoch, sampling: { seed: FAULT_SEEDS.throws }, stop: { maxTokens: 400 } }),
    ),
  );
  session.close();
}

describe("a worker and ONNX Runtime's library", { timeout: 120_000 }, () => {
  it.each([
    [
      'missing',
      () => tree.takeAway(),
      /^The worker could not start: ONNX Runtime's library is missing: .*; reinstall onnxruntime-node\.$/,
    ],
    ['damaged', () => tree.damage(), /^The worker could not start: ONNX Runtime's library does not load: /],
    [
      'of another version',
      () => tree.setVersion('1.99.0'),
      /^The worker could not start: .* is ONNX Runtime 1\.\d+\.\d+, but the package says 1\.99\.0; reinstall onnxruntime-node\.$/,
    ],
  ])(
    'given one that is %s, when the worker starts, then one sentence says so and it ends with code 1',
    async (_what, harm, sentence) => {
      tree = new LibraryTree();
      harm();
      const worker = start();
      expect(await worker.exited).toBe(1);
      expect(messages(worker, 'fatal')).toEqual([expect.stringMatching(sentence)]);
    },
  );

  it("given a worker that is to use CUDA, when CUDA's libraries are missing, then a sentence names the file and it ends with code 1", async () => {
    tree = new LibraryTree();
    tree.takeAwayCuda();
    const worker = start({ HYDRA_DEVICE: 'cuda' });
    expect(await worker.exited).toBe(1);
    expect(messages(worker, 'fatal')).toEqual([
      expect.stringMatching(
        /^The worker could not start: .*libonnxruntime_providers_\w+\.so: cannot open shared object file/,
      ),
    ]);
  });

  it('given one that goes missing, when the engine breaks, then the worker is unready and tries again until it is back', async () => {
    tree = new LibraryTree();
    const worker = start();
    const { httpPort, grpcPort } = await worker.ready();
    const metric = async (name: string, labels = {}) =>
      metricSum(await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text(), name, labels);
    tree.takeAway();
    await breakEngine(grpcPort);
    await eventually(
      async () => (await metric('hydra_worker_engine_starts_total', { outcome: 'failed' })) >= 1 || undefined,
    );
    expect(await metric('hydra_worker_engine_up')).toBe(0);
    expect((await fetch(`http://127.0.0.1:${httpPort}/health/ready`)).status).toBe(503);
    const said = /library is missing: .*; the engine is started again/;
    await worker.line(({ level, message }) => level === 'error' && said.test(String(message)));

    tree.putBack();
    await eventually(async () => (await fetch(`http://127.0.0.1:${httpPort}/health/ready`)).ok || undefined);
    expect(await metric('hydra_worker_engine_up')).toBe(1);
    const session = await TestSession.open(grpcPort);
    const { workerEpoch } = session.welcome!;
    const id = session.submit(requestOf({ modelId: 'llama', workerEpoch, stop: { maxTokens: 5 } }));
    await session.end(id);
    expect(session.tokenIds(id)).toHaveLength(5);
    session.close();
    expect(await worker.stop()).toBe(0);
  });

  it('given one that goes missing and stays so, when the engine breaks, then the process ends after five tries', async () => {
    tree = new LibraryTree();
    const worker = start();
    const { grpcPort } = await worker.ready();
    tree.takeAway();
    await breakEngine(grpcPort);
    expect(await worker.exited).toBe(70);
    expect(messages(worker, 'fatal')).toEqual([
      expect.stringMatching(/^The engine is lost: ONNX Runtime's library is missing: .* \(5 restarts in a row\)$/),
    ]);
  });
});
