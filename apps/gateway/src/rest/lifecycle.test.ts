import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { FailureCode, FinishReason, RefusalReason } from '#lib/contracts';
import { type FakeGeneration, FakeWorker } from '../test-support/fake-worker.js';
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

describe('a client that leaves', () => {
  it('while its request waits for a place, then it leaves the queue', async () => {
    platform = await startTestPlatform();
    platform.scheduler.gate = new Promise(() => {});
    const { abort } = openStream(completions(), streamed);
    await platform.scheduler.untilPlaced(1);
    abort();
    await platform.scheduler.changed.until(() => platform.scheduler.cancelledPlaces === 1);
    expect(platform.worker.generations).toHaveLength(0);
  });

  it('during prefill, then the worker is told and the lease released as cancelled', async () => {
    platform = await startTestPlatform();
    platform.worker.onSubmit = () => {};
    const { abort } = openStream(completions(), streamed);
    const generation = await platform.worker.generation();
    abort();
    expect(await platform.worker.cancelled(generation)).toBe('client-gone');
    expect(await platform.scheduler.released('lease-1')).toMatchObject({ outcome: 'cancelled' });
  });

  it('in the middle of a stream, and of an answer that is sent whole, then the worker is told', async () => {
    platform = await startTestPlatform();
    platform.worker.onSubmit = (generation) => generation.token();
    const { response, abort } = openStream(completions(), streamed);
    const incoming = await response;
    const first = await new Promise((resolve) => incoming.once('data', resolve));
    expect(String(first)).toContain(' w0');
    abort();
    expect(await platform.worker.cancelled(await platform.worker.generation(0))).toBe('client-gone');
    const whole = openStream(completions(), { ...streamed, stream: false });
    const generation = await platform.worker.generation(1);
    whole.abort();
    expect(await platform.worker.cancelled(generation)).toBe('client-gone');
    const metrics = await (await fetch(`${platform.url}/metrics`)).text();
    expect(metrics).toMatch(/hydra_gateway_aborted_clients_total\{phase="streaming"\} \d/);
  });
});

describe('a reader that does not read', () => {
  it('then its worker pauses, memory stays bounded, and another stream is served', async () => {
    platform = await startTestPlatform({ gateway: { streamBufferTokens: 16 } });
    let slow: FakeGeneration | undefined;
    const text = 'x'.repeat(65_536);
    platform.worker.onSubmit = (generation) => {
      if (generation.request.stop?.maxTokens !== 400) return void generation.runToEnd();
      slow = generation;
      return void flood(generation, text);
    };
    const { response, abort } = openStream(completions(), { ...streamed, max_tokens: 400 });
    const incoming = await response;
    incoming.pause();
    await platform.worker.generation();
    // The credit is used up once socket buffers are full; a second stream is served all the while.
    let settled = -1;
    while (settled !== slow?.sent || slow.credit > 0) {
      settled = slow?.sent ?? -1;
      const other = await post(completions(), streamed);
      expect(dataOf(await other.text()).at(-1)).toBe('[DONE]');
    }
    expect(settled).toBeLessThan(400);
    let events = 0;
    for await (const chunk of incoming) events += String(chunk).match(/^data: \{/gm)?.length ?? 0;
    expect(events).toBe(400);
    abort();
  });
});

async function flood(generation: FakeGeneration, text: string): Promise<void> {
  while (generation.sent < 400) {
    await generation.changed.until(() => generation.credit > 0);
    generation.token(generation.sent === 399 ? FinishReason.LENGTH : FinishReason.UNSPECIFIED, text);
  }
  generation.finish();
}

describe('a worker that is lost', () => {
  it('before the first token, then the generation runs on another and the client does not notice', async () => {
    platform = await startTestPlatform({ workerCount: 2 });
    const [victim, other] = platform.workers;
    if (victim === undefined || other === undefined) throw new Error('two workers');
    victim.onSubmit = () => victim.kill();
    const response = await post(completions(), streamed);
    expect(dataOf(await response.text()).at(-1)).toBe('[DONE]');
    expect(platform.scheduler.places[1]).toMatchObject({ attempt: 1, avoidWorkerIds: ['worker-0'] });
    expect(await platform.scheduler.released('lease-1')).toMatchObject({ outcome: 'worker-lost' });
    expect(other.generations[0]?.request.generationId).toBe(victim.generations[0]?.request.generationId);
  });

  it('after the first token, then the stream ends with one error event and no [DONE]', async () => {
    platform = await startTestPlatform({ workerCount: 2 });
    platform.worker.onSubmit = (generation) => generation.token();
    const { response } = openStream(completions(), streamed);
    const incoming = await response;
    platform.worker.kill();
    const events = dataOf(await textOf(incoming));
    expect(events.at(-1)).toContain('"code":"worker_lost"');
    expect(events.filter((event) => event.includes('"error"'))).toHaveLength(1);
    expect(events).not.toContain('[DONE]');
    expect(platform.scheduler.places).toHaveLength(1);
  });

  it('and so is every other it is placed on, then it is given up after three attempts with a status', async () => {
    platform = await startTestPlatform();
    platform.worker.onSubmit = (generation) => generation.fail(FailureCode.SATURATED, true);
    const response = await post(completions(), streamed);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.text()).toContain('"code":"saturated"');
    expect(platform.scheduler.places.map(({ attempt }) => attempt)).toEqual([0, 1, 2]);
  });

  it('and hands it back because it drains, however often, then that counts as no attempt', async () => {
    platform = await startTestPlatform({ workerCount: 2 });
    let handedBack = 0;
    for (const worker of platform.workers) {
      worker.onSubmit = (generation) => {
        if (handedBack++ < 5) generation.fail(FailureCode.DRAINING, true);
        else void generation.runToEnd();
      };
    }
    const response = await post(completions(), streamed);
    expect(dataOf(await response.text()).at(-1)).toBe('[DONE]');
    expect(new Set(platform.scheduler.places.map(({ attempt }) => attempt))).toEqual(new Set([0]));
  });

  it('given a refusal for good, then it is not repeated and names the parameter', async () => {
    platform = await startTestPlatform();
    platform.worker.onSubmit = (generation) =>
      generation.fail(FailureCode.INVALID_REQUEST, false, 'seed is not supported', 'seed');
    const response = await post(completions(), streamed);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { param: 'seed', message: "Invalid 'seed': seed is not supported" },
    });
    expect(platform.scheduler.places).toHaveLength(1);
  });

  it('and was the only one, then new requests wait in the scheduler until there is another', async () => {
    platform = await startTestPlatform();
    const { scheduler } = platform;
    const workers = scheduler.workers;
    scheduler.workers = [];
    scheduler.publish();
    while ((await fetch(`${platform.url}/health/ready`)).ok) await sleep(5);
    let open = () => {};
    scheduler.gate = new Promise((resolve) => {
      open = resolve;
    });
    const response = post(completions(), streamed);
    await scheduler.untilPlaced(1);
    scheduler.workers = workers;
    scheduler.publish();
    open();
    expect(dataOf(await (await response).text()).at(-1)).toBe('[DONE]');
  });

  it('given several prompts, when one fails after it began, then the others are cancelled', async () => {
    platform = await startTestPlatform();
    platform.worker.onSubmit = (generation) => {
      generation.token();
      if (platform.worker.generations.length === 2) generation.fail(FailureCode.ENGINE_ERROR, true);
    };
    const response = await post(completions(), { ...streamed, prompt: ['a', 'b'] });
    expect(dataOf(await response.text()).at(-1)).toContain('"code":"engine_error"');
    expect(await platform.worker.cancelled(await platform.worker.generation(0))).toBe('sibling-failed');
    const metrics = await (await fetch(`${platform.url}/metrics`)).text();
    expect(metrics).not.toMatch(/hydra_gateway_aborted_clients_total\{.*\} [1-9]/);
  });
});

describe('waiting', () => {
  it('given a long wait, then comments keep the connection alive', async () => {
    platform = await startTestPlatform({ gateway: { keepAliveCommentMs: 20 } });
    platform.worker.onSubmit = () => {};
    const { response } = openStream(completions(), streamed);
    const incoming = await response;
    const generation = await platform.worker.generation();
    let text = '';
    for await (const chunk of incoming) {
      text += chunk;
      if (generation.sent === 0 && text.split(': keep-alive\n\n').length > 2) void generation.runToEnd();
    }
    expect(text.startsWith(': keep-alive\n\n: keep-alive\n\n')).toBe(true);
    expect(dataOf(text).at(-1)).toBe('[DONE]');
  });

  it('given a refusal of the scheduler, then the status and Retry-After say so', async () => {
    platform = await startTestPlatform();
    platform.scheduler.refusal = RefusalReason.QUEUE_FULL;
    const response = await post(completions(), streamed);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('3');
    expect(await response.text()).toContain('"code":"queue_full"');
  });

  it('given a deadline, when it passes, then the answer is 504 and the worker is told', async () => {
    platform = await startTestPlatform();
    platform.worker.onSubmit = () => {};
    const late = post(completions(), { ...streamed, timeout_ms: 2_000 }); // enough to reach the worker on a busy machine
    const generation = await platform.worker.generation();
    expect(await platform.worker.cancelled(generation)).toBe('deadline');
    expect((await late).status).toBe(504);
    expect(await (await late).text()).toContain('"code":"deadline_exceeded"');
  });

  it("given a deadline of the client's own and one of ours, when they pass, then only ours is counted as a fault", async () => {
    platform = await startTestPlatform({ gateway: { requestTimeoutMs: 1_000 } });
    platform.worker.onSubmit = () => {};
    const counted = async () => {
      const metrics = await (await fetch(`${platform.url}/metrics`)).text();
      const lines = metrics.matchAll(
        /^hydra_gateway_requests_total\{.*code="(client_deadline|deadline_exceeded)"\} (\d+)$/gm,
      );
      return Object.fromEntries([...lines].map(([, code, count]) => [code, Number(count)]));
    };
    const before = await counted();
    for (const timeout_ms of [100, 5_000]) {
      const answer = await post(completions(), { model: 'test-model', prompt: 'x', timeout_ms });
      expect(await answer.json()).toMatchObject({ error: { code: 'deadline_exceeded' } });
    }
    const after = await counted();
    expect(Number(after['client_deadline']) - (before['client_deadline'] ?? 0)).toBe(1);
    expect(Number(after['deadline_exceeded']) - (before['deadline_exceeded'] ?? 0)).toBe(1);
  });

  it('given a tokenizer that does not come, when the deadline passes, then the answer is 504', async () => {
    platform = await startTestPlatform();
    const worker = await new FakeWorker('worker-1', 'slow-model').listen();
    worker.textFingerprint = 'b'.repeat(64);
    worker.fileGate = new Promise(() => {});
    platform.scheduler.workers.push(worker);
    platform.scheduler.publish();
    await worker.changed.until(() => worker.fileReads > 0);
    const response = await post(completions(), { ...streamed, model: 'slow-model', timeout_ms: 60 });
    expect(response.status).toBe(504);
    worker.kill();
  });

  it('given more requests than may be in flight, then the next is 503 and others go on', async () => {
    platform = await startTestPlatform({ gateway: { concurrentRequests: 1 } });
    platform.worker.onSubmit = () => {};
    const { response } = openStream(completions(), streamed);
    const generation = await platform.worker.generation();
    const refused = await post(completions(), streamed);
    expect(refused.status).toBe(503);
    expect(await refused.text()).toContain('"code":"overloaded"');
    void generation.runToEnd();
    expect(dataOf(await textOf(await response)).at(-1)).toBe('[DONE]');
  });
});

describe('browsers', () => {
  it('given an allowed origin, then the preflight and the stream say so; other origins are told nothing', async () => {
    platform = await startTestPlatform({ gateway: { corsOrigins: ['https://chat.example'] } });
    const origin = 'https://chat.example';
    const preflight = await fetch(completions(), {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    const response = await post(completions(), streamed, { origin });
    expect(response.headers.get('access-control-allow-origin')).toBe(origin);
    expect(response.headers.get('access-control-expose-headers')).toContain('x-request-id');
    expect(response.headers.get('access-control-expose-headers')).toContain('x-ratelimit-remaining-tokens');
    await response.text();
    const other = await post(completions(), streamed, { origin: 'https://other.example' });
    expect(other.headers.get('access-control-allow-origin')).not.toBe('https://other.example');
    await other.text();
  });

  it('given an allowed origin, then its scripts may administer, too, and read what answers say beside their bodies', async () => {
    platform = await startTestPlatform({ gateway: { corsOrigins: ['https://chat.example'] } });
    const preflight = await fetch(`${platform.url}/v1/admin/tenants/x/limits`, {
      method: 'OPTIONS',
      headers: { origin: 'https://chat.example', 'access-control-request-method': 'PUT' },
    });
    const methods = preflight.headers.get('access-control-allow-methods')?.split(', ');
    expect(methods).toEqual(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);
    const models = await fetch(`${platform.url}/v1/models`, { headers: { origin: 'https://chat.example' } });
    const exposed = models.headers.get('access-control-expose-headers')?.split(', ');
    expect(exposed).toEqual(expect.arrayContaining(['idempotent-replayed', 'x-has-more']));
    await models.text();
  });

  it('given OPTIONS that is no preflight, then the answer is empty, and no text of another shape', async () => {
    platform = await startTestPlatform({ gateway: { corsOrigins: ['https://chat.example'] } });
    for (const path of ['/v1/models', '/v1/chat/completions', '/v1/nothing']) {
      const response = await fetch(`${platform.url}${path}`, { method: 'OPTIONS' });
      expect([path, response.status, await response.text()]).toEqual([path, 204, '']);
    }
  });
});
