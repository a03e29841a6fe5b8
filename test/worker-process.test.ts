import { afterEach, expect, it } from 'vitest';
import { FinishReason } from '#lib/contracts';
import { requestOf } from '../libs/engine/testing/requests.js';
import { TestSession } from './support/test-session.js';
import { WorkerProcess } from './support/worker-process.js';

const MOCK = { HYDRA_ENGINE: 'mock', HYDRA_MOCK_TTFT_MS: '1', HYDRA_MOCK_ITL_MS: '5' };
const started: WorkerProcess[] = [];
afterEach(() => {
  for (const worker of started.splice(0)) worker.signal('SIGKILL');
});

function start(env: Readonly<Record<string, string>>): WorkerProcess {
  const worker = new WorkerProcess(env);
  started.push(worker);
  return worker;
}

async function withGeneration(env: Readonly<Record<string, string>>, initialCredit: number) {
  const worker = start({ ...MOCK, ...env });
  const { grpcPort } = await worker.ready();
  const session = await TestSession.open(grpcPort);
  const { workerEpoch } = session.welcome!;
  const modelId = 'smollm2-135m-instruct';
  const id = session.submit(requestOf({ modelId, workerEpoch, initialCredit, stop: { maxTokens: 40 } }));
  await session.until(() => session.tokenIds(id).length > 0);
  return { worker, session, id };
}

it('given a running generation, when SIGTERM comes, then it finishes whole, the session ends, and the exit code is 0', async () => {
  const { worker, session, id } = await withGeneration({}, 1_000);
  worker.signal('SIGTERM');
  await session.end(id);
  expect(session.tokenIds(id)).toHaveLength(40);
  expect(session.finishReason(id)).toBe(FinishReason.LENGTH);
  await session.until(() => session.isEnded);
  expect(await worker.exited).toBe(0);
});

it('given a drain that waits for a slow reader, when a second signal comes, then the process ends at once', async () => {
  const { worker, session } = await withGeneration({ HYDRA_DRAIN_TIMEOUT_MS: '600000' }, 1);
  session.call.on('error', () => {}); // it breaks off
  worker.signal('SIGTERM');
  await worker.line((line) => String(line['message']).startsWith('draining'));
  worker.signal('SIGTERM');
  expect(await worker.exited).toBe(130);
});

it('given a wrong variable, when started, then it names it and ends with code 78', async () => {
  const worker = start({ HYDRA_ENGINE: 'onxx' });
  expect(await worker.exited).toBe(78);
  expect(worker.otherLines.join('\n')).toContain('HYDRA_ENGINE: expected one of');
});

it('given a model that is not there, when started, then it says so in one sentence and ends with code 1', async () => {
  const worker = start({ HYDRA_ENGINE: 'onnx', HYDRA_MODEL: './nowhere', HYDRA_LOG_LEVEL: 'info' });
  await expect(worker.ready()).rejects.toThrow('there is no such file or folder');
  expect(await worker.exited).toBe(1);
  const fatal = worker.lines.filter((line) => line['level'] === 'fatal');
  expect(fatal).toHaveLength(1);
  expect(fatal[0]).not.toHaveProperty('error');
});
