import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { describeWorker } from './conformance/worker-session.conformance.js';
import { TestSession } from './support/test-session.js';
import { WorkerProcess } from './support/worker-process.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'hydra-home-'));
const yaml = join(home, 'hydra.yaml');
writeFileSync(yaml, 'workers: { waitingGenerations: 8 }\n');
const golden = JSON.parse(readFileSync(join(MODEL, 'golden.json'), 'utf8')) as { cases: { prompt: number[] }[] };

describeWorker('the ONNX worker', async () => {
  const worker = new WorkerProcess({
    HYDRA_CONFIG: yaml,
    HYDRA_ENGINE: 'onnx',
    HYDRA_MODEL: MODEL,
    HYDRA_HOME: home,
    HYDRA_THREADS: '1',
    HYDRA_KV_BYTES: String(8 * 1024 * 1024), // ten sequences of 512 tokens
    HYDRA_DRAIN_TIMEOUT_MS: '20',
  });
  const { httpPort, grpcPort } = await worker.ready();
  const session = await TestSession.open(grpcPort);
  const { workerId, workerEpoch: epoch } = session.welcome!;
  session.close();
  const isReady = (line: Record<string, unknown>) => line['message'] === 'the worker is ready';
  await worker.line(isReady); // it comes through a pipe, at times after the worker has answered
  const ready = worker.lines.find(isReady)!;
  let stopped: Promise<void> | undefined;
  return {
    httpPort,
    grpcPort,
    workerId,
    epoch,
    modelId: String(ready['model_id']),
    textFingerprint: String(ready['text_fingerprint']),
    prompts: [golden.cases[1]!.prompt, golden.cases[2]!.prompt],
    adapterSources: [join(MODEL, 'adapters', 'r8-all'), join(MODEL, 'adapters', 'r16-rs')],
    logLines: () => worker.lines,
    stop: () => {
      stopped ??= worker.stop().then((code) => expect(code).toBe(0));
      return stopped;
    },
  };
});
