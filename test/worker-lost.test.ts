import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from './support/eventually.js';
import { fleetMembers } from './support/fleet.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

/** Twenty slots in all: ten on each worker; ten more requests wait. */
const SLOTS = 10;
const STREAMS = 20;

let platform: RunningPlatform;
beforeAll(async () => {
  platform = await startPlatform({
    env: {
      HYDRA_ENGINE: 'mock',
      HYDRA_WORKERS: '2',
      HYDRA_MOCK_SLOTS: String(SLOTS),
      HYDRA_MOCK_TTFT_MS: '20',
      HYDRA_MOCK_ITL_MS: '40',
    },
  });
});
afterAll(() => platform?.stop());

interface Outcome {
  readonly events: number;
  readonly error: string | undefined;
  readonly isDone: boolean;
  readonly endedAtMs: number;
}

async function stream(onEvent: () => void): Promise<Outcome> {
  const response = await fetch(`${platform.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'default',
      prompt: `stream ${Math.random()}`,
      max_tokens: 60,
      ignore_eos: true,
      stream: true,
    }),
  });
  let text = '';
  for await (const bytes of response.body as ReadableStream<Uint8Array>) {
    text += Buffer.from(bytes).toString();
    if (text.includes('data: {')) onEvent();
  }
  const error = /"code":"(\w+)"/.exec(text)?.[1];
  return {
    events: text.match(/^data: \{"id"/gm)?.length ?? 0,
    error,
    isDone: text.includes('data: [DONE]'),
    endedAtMs: performance.now(),
  };
}

it('given 20 running streams and 10 that wait, when a worker is killed, then only what had started on it ends, soon and with one error event', async () => {
  const started = new Set<number>();
  const outcomes = Array.from({ length: STREAMS + SLOTS }, (_, i) => stream(() => started.add(i)));
  await eventually(() => started.size >= STREAMS || undefined);

  const members = await fleetMembers(platform.schedulerTarget);
  const victim = members.find((member) => member.registration?.workerId === 'worker-0');
  expect(victim).toBeDefined();
  const pid = await pidOf('worker-0');
  const startedBefore = new Set(started);
  process.kill(pid, 'SIGKILL');

  const results = await Promise.all(outcomes);
  const lost = results.filter((result) => result.error !== undefined);
  const finished = results.filter((result) => result.error === undefined);
  expect(lost.length).toBeGreaterThan(0);
  expect(lost.length).toBeLessThanOrEqual(SLOTS);
  const firstWholeAtMs = Math.min(...finished.map(({ endedAtMs }) => endedAtMs)); // 60 tokens take 2.4 s, on any machine
  for (const result of lost) {
    expect(result).toMatchObject({ error: 'worker_lost', isDone: false });
    expect(result.endedAtMs).toBeLessThan(firstWholeAtMs);
  }
  for (const result of finished) expect(result.isDone).toBe(true);
  results.forEach((result, i) => {
    if (!startedBefore.has(i)) expect(result.error, `request ${i} had not started`).toBeUndefined();
  });

  const restarted = await eventually(async () => {
    const now = await fleetMembers(platform.schedulerTarget);
    const again = now.find((member) => member.registration?.workerId === 'worker-0');
    return (again?.registration?.workerEpoch ?? 0) > (victim?.registration?.workerEpoch ?? 0) ? now : undefined;
  });
  expect(restarted).toHaveLength(2);
  const after = await Promise.all(Array.from({ length: SLOTS }, () => stream(() => {})));
  expect(after.every((result) => result.isDone)).toBe(true);
});

async function pidOf(workerId: string): Promise<number> {
  const line = await platform.line(new RegExp(`^${workerId} .*"pid":\\d+`));
  return Number(/"pid":(\d+)/.exec(line)?.[1]);
}
