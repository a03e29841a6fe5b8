import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FailureCode } from '#lib/contracts';
import { compileModel } from '#lib/engine-onnx';
import { ModelStore } from '#lib/models';
import { type RequestParts, requestOf } from '../libs/engine/testing/requests.js';
import { poisonToken } from '../libs/engine-onnx/src/testing/poison-token.js';
import { metricSum } from './support/metrics.js';
import { TestSession } from './support/test-session.js';
import { WorkerProcess } from './support/worker-process.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
/** Whatever attends to it has logits that are not numbers. */
const POISON = 400;
const { cases } = JSON.parse(readFileSync(join(MODEL, 'golden.json'), 'utf8')) as {
  cases: { prompt: number[]; greedy: number[] }[];
};
const clean = cases.filter(({ prompt, greedy }) => ![...prompt, ...greedy].includes(POISON));

const home = mkdtempSync(join(tmpdir(), 'hydra-home-'));
let worker: WorkerProcess;
let session: TestSession;
let httpPort: number;
beforeAll(async () => {
  const store = new ModelStore({ folder: home, hubEndpoint: 'http://127.0.0.1:1' });
  const source = await store.pullModel(MODEL);
  const compiled = await compileModel({ source, weights: 'auto', storeFolder: store.compiled.folder });
  poisonToken(MODEL, compiled.folder, POISON);
  worker = new WorkerProcess({
    HYDRA_ENGINE: 'onnx',
    HYDRA_MODEL: MODEL,
    HYDRA_HOME: home,
    HYDRA_THREADS: '1',
    HYDRA_KV_BYTES: String(8 * 1024 * 1024),
  });
  const ports = await worker.ready();
  httpPort = ports.httpPort;
  session = await TestSession.open(ports.grpcPort);
});
afterAll(async () => {
  session?.close();
  await worker?.stop();
  rmSync(home, { recursive: true });
});

function submit(promptTokenIds: number[], parts: RequestParts = {}): string {
  const { workerEpoch } = session.welcome!;
  return session.submit(
    requestOf({ modelId: 'llama', workerEpoch, promptTokenIds, stop: { maxTokens: 24 }, ...parts }),
  );
}

/** The golden cases side by side, each with its reference tokens. */
async function expectGolden(ids: readonly string[]): Promise<void> {
  for (const [index, id] of ids.entries()) {
    await session.end(id);
    expect(session.failed(id)).toBeUndefined();
    expect(session.tokenIds(id)).toEqual(clean[index]!.greedy);
  }
}

it('given NaN in one row of a batch, then that generation fails, the others go on, and its slot is good for the next', async () => {
  expect(clean.length).toBeGreaterThanOrEqual(3);
  for (let round = 0; round < 3; round++) {
    const ids = clean.slice(0, 2).map(({ prompt }) => submit(prompt));
    const inPrompt = submit([...clean[0]!.prompt, POISON]);
    const inAnswer = submit(clean[1]!.prompt, { sampling: { logitBias: { [POISON]: 100 } } });
    ids.push(...clean.slice(2).map(({ prompt }) => submit(prompt)));

    for (const id of [inPrompt, inAnswer]) {
      await session.end(id);
      expect(session.failed(id)).toMatchObject({
        code: FailureCode.ENGINE_ERROR,
        message: expect.stringMatching(/not a number/),
      });
    }
    expect(session.tokenIds(inPrompt)).toEqual([]);
    expect(session.tokenIds(inAnswer)).toEqual([POISON]);
    await expectGolden(ids);
  }
  await expectGolden(clean.map(({ prompt }) => submit(prompt)));
  const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  expect(metricSum(metrics, 'hydra_worker_engine_losses_total')).toBe(0);
  expect(metricSum(metrics, 'hydra_worker_failures_total', { code: 'engine_error' })).toBe(6);
});
