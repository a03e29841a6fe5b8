import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pidOf } from './support/app-pid.js';
import { eventually } from './support/eventually.js';
import { fleetMembers } from './support/fleet.js';
import { hydra } from './support/hydra.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

let platform: RunningPlatform;
beforeAll(async () => {
  platform = await startPlatform({
    env: { HYDRA_ENGINE: 'mock', HYDRA_WORKERS: '2', HYDRA_MOCK_TTFT_MS: '1500', HYDRA_MOCK_ITL_MS: '1' },
  });
});
afterAll(() => platform?.stop());

function complete(requestId: string, trace: string): Promise<Response> {
  return fetch(`${platform.url}/v1/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-request-id': requestId,
      traceparent: `00-${trace}-00f067aa0ba902b7-00`,
    },
    body: JSON.stringify({ model: 'default', prompt: 'once upon a time', max_tokens: 4, ignore_eos: true }),
  });
}
const tell = (id: string) => hydra(['trace', id, '--url', platform.url]);

it('given a request that was answered, when told by any of its ids, then the story goes from the door to the engine and back', async () => {
  const trace = randomUUID().replaceAll('-', '');
  const { id } = (await (await complete('of-a-test', trace)).json()) as { id: string };
  for (const name of ['of-a-test', trace, id, id.replace(/^cmpl-/, '')]) {
    const { code, stdout } = await tell(name);
    expect(code, name).toBe(0);
    expect(stdout).toContain('request of-a-test   tenant anonymous');
    expect(stdout).toContain(`trace ${trace}`);
    const order = [
      'gateway POST /v1/completions',
      'gateway text_completion smollm2-135m-instruct',
      'gateway place',
      'scheduler place',
      '· candidate',
      'gateway generate',
      /worker-[01] generate/,
      /worker-[01] engine.queued/,
      /worker-[01] engine.prefill_chunk/,
      /worker-[01] engine.decode {2}tokens=4/,
    ];
    let at = 0;
    for (const line of order) {
      const found = stdout.slice(at).search(typeof line === 'string' ? line.replace(/[.·/]/g, '.') : line);
      expect(found, `${line} in\n${stdout}`).toBeGreaterThanOrEqual(0);
      at += found;
    }
    expect(stdout).not.toContain('once upon');
  }
  const unknown = await tell('nobody');
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('No app remembers') });
});

it('given a worker that is killed before the first token, when the story is told, then it has both attempts, what failed, and who is gone', async () => {
  const answer = complete('failed-over', randomUUID().replaceAll('-', ''));
  const worker = await eventually(async () => {
    const members = await fleetMembers(platform.schedulerTarget);
    return members.find(({ leases }) => leases > 0)?.registration?.workerId;
  });
  const running = await fetch(`${platform.url}/v1/admin/traces/failed-over`);
  expect(await running.json()).toHaveProperty('spans.0.open', true);
  process.kill(pidOf(platform, worker), 'SIGKILL');
  expect((await answer).status).toBe(200);
  const { stdout } = await tell('failed-over');
  expect(stdout).toMatch(new RegExp(`gateway generate {2}worker.id=${worker} .*FAILED worker_lost`));
  expect(stdout).toMatch(new RegExp(`place .*attempt=1 {2}avoided_workers=${worker}`));
  expect(stdout.match(/scheduler place/g)).toHaveLength(2);
  expect(stdout).toMatch(new RegExp(`worker-${worker === 'worker-0' ? 1 : 0} engine.decode`));
});
