import { credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publicApi } from '#lib/contracts';
import { OtlpReceiver, type ReceivedSpan } from '../libs/observability/testing/otlp-receiver.js';
import { pidOf } from './support/app-pid.js';
import { eventually } from './support/eventually.js';
import { fleetMembers } from './support/fleet.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const CLIENT_SPAN = '00f067aa0ba902b7';
const MODEL = 'smollm2-135m-instruct';
const LONG_PROMPT = 'Once upon a time there was a long prompt that nobody may read in a trace. '.repeat(60);

let collector: OtlpReceiver;
let platform: RunningPlatform;

beforeAll(async () => {
  collector = await OtlpReceiver.listen();
  platform = await startPlatform({
    env: {
      HYDRA_ENGINE: 'mock',
      HYDRA_WORKERS: '2',
      HYDRA_MOCK_TTFT_MS: '300',
      HYDRA_MOCK_ITL_MS: '1',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_TRACES_SAMPLER_ARG: '0',
      OTEL_BSP_SCHEDULE_DELAY: '20',
    },
  });
});
afterAll(async () => {
  await platform?.stop();
  await collector?.close();
});

let traceCount = 0;
/** A trace of a client, and its `traceparent`. */
function newTrace(flag: '00' | '01'): { id: string; traceparent: string } {
  const id = (++traceCount).toString(16).padStart(32, 'a');
  return { id, traceparent: `00-${id}-${CLIENT_SPAN}-${flag}` };
}

function post(path: string, body: object, traceparent: string, signal?: AbortSignal): Promise<Response> {
  const headers = { 'content-type': 'application/json', traceparent, 'x-request-id': `of-${traceparent}` };
  return fetch(`${platform.url}${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
    signal: signal ?? null,
  });
}

/** The spans of a trace, once those are there whose names are given. */
function spansOf(traceId: string, ...names: string[]): Promise<ReceivedSpan[]> {
  return collector.until((all) => {
    const own = all.filter((span) => span.traceId === traceId);
    return names.every((name) => own.some((span) => span.name === name)) ? own : undefined;
  });
}

/** Each span as the road from the client to it. */
function roads(spans: readonly ReceivedSpan[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const roadOf = (span: ReceivedSpan): string => {
    const app = span.service.replace('hydra-', '');
    const parent = byId.get(span.parentSpanId);
    const before = parent === undefined ? (span.parentSpanId === CLIENT_SPAN ? 'client' : 'LOST') : roadOf(parent);
    return `${before} > ${app}:${span.name}`;
  };
  return spans.map(roadOf).sort();
}

const chat = {
  model: 'default',
  messages: [{ role: 'user', content: LONG_PROMPT }],
  max_tokens: 8,
  temperature: 0.5,
  ignore_eos: true,
};

function chatRoads(root: string, operation: string): string[] {
  const answer = `client > gateway:${root} > gateway:${operation} ${MODEL}`;
  return [
    `client > gateway:${root}`,
    answer,
    `${answer} > gateway:tokenize`,
    `${answer} > gateway:place`,
    `${answer} > gateway:place > scheduler:place`,
    `${answer} > gateway:generate`,
    `${answer} > gateway:generate > inference:generate`,
    `${answer} > gateway:generate > inference:generate > inference:engine.queued`,
    `${answer} > gateway:generate > inference:generate > inference:engine.prefix_lookup`,
    `${answer} > gateway:generate > inference:generate > inference:engine.prefill_chunk`,
    `${answer} > gateway:generate > inference:generate > inference:engine.decode`,
  ];
}

describe('one trace through gateway, scheduler and worker', () => {
  it('given a streamed chat over REST in a sampled trace, when it is over, then every span hangs where it belongs and says what happened', async () => {
    const { id, traceparent } = newTrace('01');
    await (await post('/v1/chat/completions', { ...chat, stream: true }, traceparent)).text();
    const spans = await spansOf(id, 'POST /v1/chat/completions', 'place', 'engine.decode');
    expect([...new Set(roads(spans))]).toEqual(chatRoads('POST /v1/chat/completions', 'chat').sort());
    const one = (name: string, service = 'gateway') =>
      spans.find((span) => span.name === name && span.service === `hydra-${service}`) as ReceivedSpan;

    const root = one('POST /v1/chat/completions');
    expect(root).toMatchObject({ kind: 'server', error: undefined });
    expect(root.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.route': '/v1/chat/completions',
      'http.response.status_code': 200,
      'hydra.request.id': `of-${traceparent}`,
      'hydra.tenant.id': 'anonymous',
    });
    const answer = one(`chat ${MODEL}`);
    const { 'gen_ai.usage.input_tokens': inputTokens } = answer.attributes;
    expect(answer.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'hydraserve',
      'gen_ai.request.model': MODEL,
      'gen_ai.response.model': MODEL,
      'gen_ai.request.max_tokens': 8,
      'gen_ai.request.temperature': 0.5,
      'gen_ai.response.finish_reasons': ['length'],
      'gen_ai.usage.output_tokens': 8,
    });
    expect(inputTokens).toBeGreaterThan(500);
    expect(answer.events.map(({ name }) => name)).toEqual(['first_token']);
    expect(answer.attributes['gen_ai.response.time_to_first_chunk']).toBeGreaterThan(0.2);

    const placed = one('place', 'scheduler');
    expect(placed.attributes).toMatchObject({
      'hydra.placement.strategy': 'predicted-ttft',
      'hydra.prompt.tokens': inputTokens,
    });
    expect(placed.events.map(({ attributes }) => attributes['hydra.worker.id']).sort()).toEqual([
      'worker-0',
      'worker-1',
    ]);
    expect(placed.events[0]?.attributes).toMatchObject({
      'hydra.placement.chosen': true,
      'hydra.worker.id': placed.attributes['hydra.worker.id'],
    });
    expect(Object.keys(placed.events[0]?.attributes ?? {}).length).toBeGreaterThan(3); // its terms

    const worker = one('generate', 'inference');
    expect(worker.instance).toBe(placed.attributes['hydra.worker.id']);
    const chunks = spans.filter(({ name }) => name === 'engine.prefill_chunk');
    expect(chunks[0]?.attributes['hydra.tokens.from']).toBe(0);
    expect(chunks.at(-1)?.attributes['hydra.tokens.to']).toBe(inputTokens);
    expect(one('engine.decode', 'inference').attributes['hydra.tokens']).toBe(8);
    for (const { name, startUnixNs, endUnixNs } of spans) expect(endUnixNs, name).toBeGreaterThanOrEqual(startUnixNs);
    expect(JSON.stringify(spans, (_, value) => (typeof value === 'bigint' ? String(value) : value))).not.toContain(
      'Once upon',
    );
  });

  it('given a chat over gRPC in a sampled trace, when it is over, then it has the same spans', async () => {
    const { id, traceparent } = newTrace('01');
    const client = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('traceparent', traceparent);
    const request = publicApi.ChatRequest.fromPartial({
      model: 'default',
      messages: [{ role: 'user', content: `${LONG_PROMPT} Over gRPC.` }],
      options: { maxTokens: 4, ignoreEos: true },
    });
    await new Promise<void>((resolve, reject) => {
      client.chat(request, metadata, (error) => (error ? reject(error) : resolve()));
    });
    client.close();
    const spans = await spansOf(id, 'hydra.v1.Inference/Chat', 'place', 'engine.decode');
    expect([...new Set(roads(spans))]).toEqual(chatRoads('hydra.v1.Inference/Chat', 'chat').sort());
    const root = spans.find(({ name }) => name === 'hydra.v1.Inference/Chat');
    expect(root?.attributes).toMatchObject({ 'rpc.system.name': 'grpc', 'rpc.response.status_code': 'OK' });
  });
});

describe('what is kept of traces that are not sampled', () => {
  it('given requests that are answered, when a sampled one follows, then only that one has come', async () => {
    const silent = newTrace('00');
    expect(
      (await post('/v1/completions', { model: 'default', prompt: 'x', max_tokens: 1 }, silent.traceparent)).status,
    ).toBe(200);
    const loud = newTrace('01');
    await post('/v1/completions', { model: 'default', prompt: 'x', max_tokens: 1 }, loud.traceparent);
    const spans = await spansOf(loud.id, 'POST /v1/completions', `text_completion ${MODEL}`, 'engine.decode');
    expect(new Set(spans.map(({ service }) => service)).size).toBe(3);
    expect(collector.spans.filter(({ traceId }) => traceId === silent.id)).toEqual([]);
  });

  it('given a request that is refused, when answered, then its trace is kept, with the word of the error', async () => {
    const { id, traceparent } = newTrace('00');
    expect((await post('/v1/completions', { model: 'nobody', prompt: 'x' }, traceparent)).status).toBe(404);
    const [root] = await spansOf(id, 'POST /v1/completions');
    expect(root?.attributes).toMatchObject({ 'http.response.status_code': 404, 'error.type': 'model_not_found' });
  });

  it('given a deadline that passes while the worker computes, when answered, then the spans of all three apps are kept', async () => {
    const { id, traceparent } = newTrace('00');
    const body = { model: 'default', prompt: 'late', max_tokens: 2_000, ignore_eos: true, timeout_ms: 500 };
    expect((await post('/v1/completions', body, traceparent)).status).toBe(504);
    const spans = await collector.until((all) => {
      const own = all.filter(({ traceId }) => traceId === id);
      return new Set(own.map(({ service }) => service)).size === 3 ? own : undefined;
    });
    expect(roads(spans).filter((road) => road.includes('LOST'))).toEqual([]);
    expect(
      spans.find(({ kind, service }) => kind === 'server' && service === 'hydra-gateway')?.attributes,
    ).toMatchObject({
      'error.type': 'deadline_exceeded',
    });
  });

  it('given a worker that is killed before the first token, when the request is answered elsewhere, then both attempts are in one kept trace', async () => {
    const { id, traceparent } = newTrace('00');
    const answer = post(
      '/v1/completions',
      { model: 'default', prompt: `fail over ${LONG_PROMPT}`, max_tokens: 2 },
      traceparent,
    );
    const worker = await eventually(async () => runningOn());
    process.kill(pidOf(platform, worker), 'SIGKILL');
    expect((await answer).status).toBe(200);
    const spans = await collector.until((all) => {
      const own = all.filter(({ traceId }) => traceId === id);
      const done = ['hydra-gateway', 'hydra-inference'].every((service) =>
        own.some((span) => span.service === service),
      );
      return done && own.filter(({ service }) => service === 'hydra-scheduler').length === 2 ? own : undefined;
    });
    expect(roads(spans).filter((road) => road.includes('LOST'))).toEqual([]);
    const attempts = spans.filter(({ name, service }) => name === 'generate' && service === 'hydra-gateway');
    const lost = attempts.filter(({ attributes }) => attributes['error.type'] === 'worker_lost');
    expect(attempts).toHaveLength(2);
    expect(lost.map(({ attributes }) => attributes['hydra.worker.id'])).toEqual([worker]);
    const second = spans.find(
      ({ attributes, service }) => service === 'hydra-scheduler' && attributes['hydra.attempt'] === 1,
    );
    expect(second?.attributes['hydra.avoided_workers']).toEqual([worker]);
  });
});

/** The worker that has something to compute now. */
async function runningOn(): Promise<string | undefined> {
  const members = await fleetMembers(platform.schedulerTarget);
  return members.find(({ leases }) => leases > 0)?.registration?.workerId;
}
