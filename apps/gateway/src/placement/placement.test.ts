import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, Metadata, status } from '@grpc/grpc-js';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callUnary, type GrpcStatusError } from '#lib/channels';
import { publicApi, RefusalReason } from '#lib/contracts';
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

  it('given generations that ended, then their leases are released on the stream of places; by a call at a scheduler that takes none there', async () => {
    platform = await startTestPlatform();
    const { scheduler } = platform;
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    await textOf(await openStream(completions(), streamed).response);
    expect(await scheduler.released('lease-1')).toMatchObject({ outcome: 'finished' });
    expect(scheduler.releaseCalls).toBe(0);
    scheduler.takesReleases = false;
    await textOf(await openStream(completions(), streamed).response);
    expect(await scheduler.released('lease-2')).toMatchObject({ outcome: 'finished' });
    expect(scheduler.releaseCalls).toBe(1);
  });
});

describe('what the fleet knows of a prompt', () => {
  it('given a lease that says how often its beginning was asked for, then the worker is told', async () => {
    platform = await startTestPlatform();
    platform.scheduler.earlierUses = [5, 3];
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    await textOf(await openStream(completions(), streamed).response);
    expect(platform.worker.generations.map(({ request }) => request.earlierUses)).toEqual([[5, 3]]);
  });
});

describe('x-slo-ttft-ms', () => {
  const slo = (value: string) => ({ 'x-slo-ttft-ms': value });

  it('given a time to first token, when a request is placed, then the scheduler knows until when; without one it knows none', async () => {
    platform = await startTestPlatform();
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    const beforeMs = Date.now();
    await (await post(completions(), streamed, slo('60000'))).text();
    const { ttftDeadlineUnixMs } = platform.scheduler.places[0]!;
    expect(ttftDeadlineUnixMs).toBeGreaterThanOrEqual(beforeMs + 59_990);
    expect(ttftDeadlineUnixMs).toBeLessThanOrEqual(Date.now() + 60_010);
    await (await post(completions(), { ...streamed, timeout_ms: 60_000 })).text();
    expect(platform.scheduler.places[1]?.ttftDeadlineUnixMs).toBe(0);
  });

  it('given a model with a time of its own, then requests that say nothing have that', async () => {
    platform = await startTestPlatform({ models: [{ id: 'test-model', sloTtftMs: 60_000 }] });
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    await (await post(completions(), streamed)).text();
    expect(platform.scheduler.places[0]?.ttftDeadlineUnixMs).toBeGreaterThan(Date.now() + 30_000);
    await (await post(completions(), streamed, slo('10000'))).text();
    expect(platform.scheduler.places[1]?.ttftDeadlineUnixMs).toBeLessThan(Date.now() + 30_000);
  });

  it('given a scheduler that says it cannot be kept, then the answer is 429 with the reason and when to come again', async () => {
    platform = await startTestPlatform();
    platform.scheduler.refusal = RefusalReason.DEADLINE_UNREACHABLE;
    const response = await post(completions(), streamed, slo('100'));
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('3');
    expect(response.headers.get('x-hydra-reason')).toBe('slo_unreachable');
    expect(await response.json()).toMatchObject({ error: { type: 'requests', code: 'slo_unreachable', param: null } });
    expect(platform.worker.generations).toHaveLength(0);
  });

  it.each(['0', '-1', '1.5', 'soon', '1e3', '9999999999'])(
    'given %s, then the header is named and nothing runs',
    async (value) => {
      platform = await startTestPlatform();
      const response = await post(completions(), streamed, slo(value));
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code: 'invalid_value', param: 'x-slo-ttft-ms' } });
      expect(platform.scheduler.places).toHaveLength(0);
    },
  );

  it('given metadata of gRPC, then it says and refuses the same', async () => {
    platform = await startTestPlatform();
    const client = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
    const ask = (value: string) => {
      const metadata = new Metadata();
      metadata.set('x-slo-ttft-ms', value);
      const prompts = [{ value: { $case: 'text' as const, value: 'hello' } }];
      const request = publicApi.CompletionRequest.fromPartial({ model: 'default', prompts, options: { maxTokens: 2 } });
      const failed = callUnary(client.complete.bind(client), request, { timeoutMs: 10_000, metadata });
      return failed.catch((error: unknown) => error as GrpcStatusError);
    };
    platform.scheduler.refusal = RefusalReason.DEADLINE_UNREACHABLE;
    const refused = (await ask('60000')) as GrpcStatusError;
    expect(platform.scheduler.places[0]?.ttftDeadlineUnixMs).toBeGreaterThan(Date.now() + 30_000);
    expect(refused.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(refused.metadata?.get('hydra-error-code')).toEqual(['slo_unreachable']);
    expect(refused.metadata?.get('retry-after')).toEqual(['3']);
    expect(((await ask('soon')) as GrpcStatusError).code).toBe(status.INVALID_ARGUMENT);
    client.close();
  });
});

describe('x-hydra-debug: placement', () => {
  const debug = { 'x-hydra-debug': 'placement' };
  const chosen = {
    strategy: 'in turn',
    chosen: 'worker-0',
    candidates: [{ worker: 'worker-0', terms: { cost: 1.235 } }],
  };
  beforeEach(async () => {
    platform = await startTestPlatform();
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
  });

  it('given a whole answer, then a header says how it was placed; without asking, none does', async () => {
    const whole = { ...streamed, stream: false };
    const response = await post(completions(), whole, debug);
    expect(JSON.parse(response.headers.get('x-hydra-placement') ?? '')).toEqual(chosen);
    for (const headers of [{}, { 'x-hydra-debug': 'everything' }] as Record<string, string>[]) {
      const silent = await post(completions(), whole, headers);
      expect(silent.status).toBe(200);
      expect(silent.headers.has('x-hydra-placement')).toBe(false);
    }
    expect(platform.scheduler.places.map(({ explain }) => explain)).toEqual([true, false, false]);
  });

  it('given a stream, then a comment before the first event says it, and the openai client sees only its events', async () => {
    const text = await (await post(completions(), streamed, debug)).text();
    const comment = /^: placement (.*)\n\ndata: /.exec(text)?.[1];
    expect(JSON.parse(comment ?? '')).toEqual(chosen);
    const client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0, defaultHeaders: debug });
    const chunks = [];
    for await (const chunk of await client.completions.create({ model: 'default', prompt: 'hello', stream: true })) {
      chunks.push(chunk);
    }
    expect(chunks.length).toBeGreaterThan(1);
  });

  it('given a call of gRPC, then its trailers say it', async () => {
    const client = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('x-hydra-debug', 'placement');
    const prompts = [{ value: { $case: 'text' as const, value: 'hello' } }];
    const request = publicApi.CompletionRequest.fromPartial({ model: 'default', prompts, options: { maxTokens: 2 } });
    const whole = client.complete(request, metadata, () => {});
    const stream = client.streamComplete(request, metadata);
    stream.resume();
    for (const [{ metadata: trailer }] of await Promise.all([whole, stream].map((call) => once(call, 'status')))) {
      expect(JSON.parse(String(trailer.get('x-hydra-placement')[0]))).toEqual(chosen);
    }
    client.close();
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

  it('given a scheduler that is shutting down, when it refuses what waits, then the request is placed without it', async () => {
    platform = await startTestPlatform();
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    platform.scheduler.refusal = RefusalReason.SHUTTING_DOWN;
    const response = await post(completions(), streamed);
    expect(dataOf(await response.text()).at(-1)).toBe('[DONE]');
    expect(platform.worker.generations[0]?.request.leaseId).toBe('');
  });

  it('given neither a scheduler nor a worker in reach, when the scheduler comes back with one, then the request has waited for it', async () => {
    platform = await startTestPlatform({ workerCount: 2 });
    const { scheduler, worker } = platform;
    const [, other] = platform.workers;
    worker.onSubmit = (generation) => void generation.runToEnd();
    scheduler.kill();
    other?.kill();
    worker.kill();
    const response = post(completions(), streamed);
    await worker.listen();
    await scheduler.listen();
    expect(dataOf(await (await response).text()).at(-1)).toBe('[DONE]');
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
