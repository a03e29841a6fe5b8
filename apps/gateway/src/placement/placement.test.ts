import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import {
  dataOf,
  openStream,
  post,
  startTestPlatform,
  type TestPlatform,
  textOf,
} from '../test-support/test-platform.js';

let platform: TestPlatform;
afterEach(() => platform.stop());

const streamed = { model: 'default', prompt: 'hello', max_tokens: 4, stream: true };
const completions = () => `${platform.url}/v1/completions`;

describe('leases', () => {
  it('given leases of long generations, then they are renewed together', async () => {
    platform = await startTestPlatform();
    platform.scheduler.leaseTtlMs = 300;
    platform.worker.onSubmit = () => {};
    const streams = [openStream(completions(), streamed), openStream(completions(), streamed)];
    const { scheduler } = platform;
    await scheduler.changed.until(() => scheduler.renewals.some((leaseIds) => leaseIds.length === 2));
    for (const { abort } of streams) abort();
    await Promise.all([scheduler.released('lease-1'), scheduler.released('lease-2')]);
  });

  it('given a lease that the scheduler knows no more, then it is not renewed any more, and others are', async () => {
    platform = await startTestPlatform();
    const { scheduler } = platform;
    scheduler.leaseTtlMs = 300;
    scheduler.unknownLeaseIds.add('lease-1');
    platform.worker.onSubmit = () => {};
    const streams = [openStream(completions(), streamed), openStream(completions(), streamed)];
    await scheduler.untilPlaced(2);
    const askedFor = scheduler.renewals;
    const later = () => askedFor.slice(askedFor.findIndex((leaseIds) => leaseIds.includes('lease-1')) + 1);
    await scheduler.changed.until(() => askedFor.flat().includes('lease-1') && later().length > 1);
    expect(new Set(later().flat())).toEqual(new Set(['lease-2']));
    for (const generation of platform.worker.generations) void generation.runToEnd(); // what they are for goes on
    for (const { response } of streams) expect(dataOf(await textOf(await response)).at(-1)).toBe('[DONE]');
    await scheduler.released('lease-2');
    expect(scheduler.releases).toHaveLength(1);
  });
});

describe('a call to the scheduler that fails', () => {
  it.each([
    status.UNAVAILABLE,
    status.CANCELLED, // by a connection that broke: the client is still there
  ])('given the status %d of a scheduler that is gone, then the last known fleet is used', async (code) => {
    platform = await startTestPlatform();
    platform.scheduler.failure = code;
    const response = await post(completions(), streamed);
    expect(dataOf(await response.text()).at(-1)).toBe('[DONE]');
    expect(platform.worker.generations[0]?.request.leaseId).toBe('');
  });

  it.each([
    [status.INTERNAL, 500, 'internal_error'],
    [status.INVALID_ARGUMENT, 500, 'internal_error'],
    [status.RESOURCE_EXHAUSTED, 503, 'overloaded'],
    [status.DEADLINE_EXCEEDED, 503, 'wait_expired'],
  ])(
    'given the status %d of one that is there, then the answer is %d %s, and nothing runs',
    async (code, httpStatus, word) => {
      platform = await startTestPlatform();
      platform.scheduler.failure = code;
      const response = await post(completions(), streamed);
      expect(response.status).toBe(httpStatus);
      expect(await response.json()).toMatchObject({ error: { code: word } });
      expect(platform.worker.generations).toHaveLength(0);
    },
  );
});

describe('without a scheduler', () => {
  it('then the last known fleet is used in turn, and a new scheduler is found again', async () => {
    platform = await startTestPlatform({ workerCount: 2 });
    platform.scheduler.kill();
    for (let i = 0; i < 4; i++) {
      const response = await post(completions(), streamed);
      expect(dataOf(await response.text()).at(-1)).toBe('[DONE]');
    }
    expect(platform.workers.map(({ generations }) => generations.length)).toEqual([2, 2]);
    expect(platform.worker.generations[0]?.request).toMatchObject({ leaseId: '', workerEpoch: platform.worker.epoch });
    await platform.scheduler.listen();
    const before = platform.scheduler.places.length;
    while (platform.scheduler.places.length === before) await (await post(completions(), streamed)).text();
  });

  it('given a scheduler that was restarted and knows no workers yet, then models stay for a while and go then', async () => {
    platform = await startTestPlatform({ scheduler: { workerTimeoutMs: 2_000, reportIntervalMs: 500 } });
    await platform.scheduler.restartEmpty();
    const count = async () =>
      ((await (await fetch(`${platform.url}/v1/models`)).json()) as { data: unknown[] }).data.length;
    expect(await count()).toBe(3);
    while ((await count()) > 0) await sleep(10);
    expect((await fetch(`${platform.url}/health/ready`)).status).toBe(503);
    expect((await fetch(`${platform.url}/health/startup`)).status).toBe(200);
  });
});
