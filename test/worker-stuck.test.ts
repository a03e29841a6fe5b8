import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ENGINE_FAULT_ENV, FAULT_SEEDS } from './support/engine-fault.js';
import { eventually } from './support/eventually.js';
import { fleetMembers } from './support/fleet.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'hydra-home-'));
let platform: RunningPlatform;
beforeAll(async () => {
  platform = await startPlatform({
    env: {
      ...ENGINE_FAULT_ENV,
      ENGINE_FAULT_WORKER: 'worker-0',
      HYDRA_ENGINE: 'onnx',
      HYDRA_MODEL: MODEL,
      HYDRA_HOME: home,
      HYDRA_WORKERS: '2',
      HYDRA_THREADS: '1',
      HYDRA_KV_BYTES: String(8 * 1024 * 1024),
      HYDRA_STEP_TIMEOUT_MS: '2000',
    },
  });
});
afterAll(async () => {
  await platform?.stop();
  rmSync(home, { recursive: true });
});

async function complete(seed: number) {
  const response = await fetch(`${platform.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'default',
      prompt: `a prompt of ${Math.random()}`,
      max_tokens: 10,
      ignore_eos: true,
      seed,
    }),
  });
  const { usage } = (await response.json()) as { usage?: { completion_tokens: number } };
  return { status: response.status, tokens: usage?.completion_tokens };
}

const epochs = async () => {
  const members = await fleetMembers(platform.schedulerTarget).catch(() => []);
  const epochOf = (id: string) => members.find(({ registration }) => registration?.workerId === id)?.registration;
  return [epochOf('worker-0')?.workerEpoch ?? 0, epochOf('worker-1')?.workerEpoch ?? 0] as const;
};

it.skipIf(process.platform === 'win32')(
  'given a worker stuck in a native call, then what had no token is answered by the other, and hydra up starts it again',
  async () => {
    const [victim, other] = await eventually(async () => {
      const both = await epochs();
      return both.every((epoch) => epoch > 0) ? both : undefined;
    });
    const answers = await Promise.all(Array.from({ length: 6 }, () => complete(FAULT_SEEDS.nativeHangAtOnce)));
    for (const answer of answers) expect(answer).toEqual({ status: 200, tokens: 10 });

    await platform.line(/worker-0 ended with code 70; restarting in/);
    await eventually(async () => (await epochs())[0] > victim || undefined, 60_000);
    expect((await epochs())[1]).toBe(other);
    const after = await Promise.all(Array.from({ length: 6 }, (_, i) => complete(i)));
    for (const answer of after) expect(answer).toEqual({ status: 200, tokens: 10 });
  },
  120_000,
);
