import { connect, type Socket } from 'node:net';
import { type Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publicApi } from '#lib/contracts';
import { metricsOf, type ReadMetric } from './support/app-metrics.js';
import { eventually } from './support/eventually.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';
import { postBytes } from './support/raw-http.js';
import { streamOutcome } from './support/stream-outcome.js';

let platform: RunningPlatform;
let worker: ReadMetric;
let scheduler: ReadMetric;
let gateway: ReadMetric;
let grpc: publicApi.InferenceClient;

async function start(env: Record<string, string>): Promise<void> {
  platform = await startPlatform({ env: { HYDRA_ENGINE: 'mock', ...env } });
  worker = metricsOf(platform, 'worker-0');
  scheduler = metricsOf(platform, 'scheduler');
  gateway = metricsOf(platform, 'gateway');
  grpc = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
}

async function stop(): Promise<void> {
  (grpc as Client | undefined)?.close();
  await platform?.stop();
}

const becomes = (read: ReadMetric, name: string, value: number) =>
  eventually(async () => ((await read(name)) === value ? true : undefined));
const running = (count: number) => becomes(worker, 'vllm:num_requests_running', count);
const waitingInWorker = (count: number) => becomes(worker, 'vllm:num_requests_waiting', count);
const waitingInScheduler = (count: number) => becomes(scheduler, 'hydra_scheduler_waiting_requests', count);

/** A client that can leave. */
interface Visitor {
  leave(): void;
}

const MAX_TOKENS = 8_000;
let visitors = 0;
const body = (stream: boolean, extra: object = {}) =>
  JSON.stringify({
    model: 'default',
    prompt: `visitor ${visitors++}`,
    max_tokens: MAX_TOKENS,
    ignore_eos: true,
    stream,
    ...extra,
  });
const grpcRequest = () =>
  publicApi.CompletionRequest.fromPartial({
    model: 'default',
    prompts: [{ value: { $case: 'text', value: `visitor ${visitors++}` } }],
    options: { maxTokens: MAX_TOKENS, ignoreEos: true },
  });

function visitRest(stream: boolean): Visitor {
  const socket = connect(Number(new URL(platform.url).port), '127.0.0.1');
  socket.on('data', () => {}).on('error', () => {});
  socket.write(postBytes('/v1/completions', body(stream)));
  return { leave: () => socket.destroy() };
}

function visitGrpc(stream: boolean): Visitor {
  if (!stream) {
    const call = grpc.complete(grpcRequest(), () => {});
    return { leave: () => call.cancel() };
  }
  const call = grpc.streamComplete(grpcRequest());
  call.on('data', () => {}).on('error', () => {});
  return { leave: () => call.cancel() };
}

const WAYS: readonly (readonly [string, () => Visitor])[] = [
  ['REST, whole', () => visitRest(false)],
  ['REST, streamed', () => visitRest(true)],
  ['gRPC, whole', () => visitGrpc(false)],
  ['gRPC, streamed', () => visitGrpc(true)],
];

describe('a client that leaves before its first token', () => {
  /** `scheduler.waitingPerWorker` by default; further ones wait in the scheduler. */
  const WORKER_QUEUE = 4;
  beforeAll(() => start({ HYDRA_MOCK_TTFT_MS: '600000', HYDRA_MOCK_SLOTS: '1' }));
  afterAll(stop);

  it.each(WAYS)('given %s, when it leaves in prefill, then the worker stops', async (_way, visit) => {
    const visitor = visit();
    await running(1);
    visitor.leave();
    await running(0);
  });

  it.each(WAYS)('given %s, when it leaves while it waits, then queues and slot are free again', async (_way, visit) => {
    const inSlot = visit();
    await running(1);
    const inWorker = Array.from({ length: WORKER_QUEUE }, visit);
    await waitingInWorker(WORKER_QUEUE);
    const inScheduler = visit();
    await waitingInScheduler(1);

    inScheduler.leave();
    await waitingInScheduler(0);
    for (const visitor of inWorker) visitor.leave();
    await waitingInWorker(0);
    await running(1); // the one in the slot was not disturbed
    inSlot.leave();
    await running(0);
    await becomes(scheduler, 'hydra_scheduler_leases', 0);
  });
});

describe('a client that leaves or lags while it streams', () => {
  beforeAll(() => start({ HYDRA_MOCK_TTFT_MS: '1', HYDRA_MOCK_ITL_MS: '1', HYDRA_MOCK_KV_TOKENS: '600000' }));
  afterAll(stop);

  it.each(WAYS)(
    'given %s, when it leaves, then the worker stops, and another stream ends whole',
    async (_way, visit) => {
      let visitor: Visitor | undefined;
      const other = streamOutcome(platform.url, { maxTokens: 200, onStarted: () => (visitor = visit()) });
      await eventually(() => visitor);
      const tokens = await worker('vllm:generation_tokens_total');
      await eventually(async () => (await worker('vllm:generation_tokens_total')) > tokens || undefined);
      visitor?.leave();
      expect(await other).toMatchObject({ isDone: true, isCut: false, error: undefined });
      await running(0);
      await becomes(scheduler, 'hydra_scheduler_leases', 0);
      await becomes(gateway, 'hydra_gateway_requests_in_flight', 0);
    },
  );

  it('given a reader that takes nothing, then its worker pauses, memory stays bounded and others stream; when it reads, it gets all', async () => {
    const [choices, maxTokens] = [32, MAX_TOKENS];
    const memoryBefore = await gateway('process_resident_memory_bytes');
    const tokensBefore = await generatedTokens();
    const lagging = connect(Number(new URL(platform.url).port), '127.0.0.1').pause();
    lagging.write(
      postBytes('/v1/completions', body(true, { n: choices, max_tokens: maxTokens, return_token_ids: true })),
    );
    await pausedAfter(tokensBefore);
    const growth = (await gateway('process_resident_memory_bytes')) - memoryBefore;
    expect(growth).toBeLessThan(64 * 2 ** 20); // all of its events are about 70 MB
    await running(1);

    const { tokens, isDone } = await readAll(lagging);
    expect(isDone).toBe(true);
    expect(tokens).toBe(choices * maxTokens);
    await running(0);
  });

  it('given a reader that takes nothing, when it leaves, then the worker is free', async () => {
    const lagging = connect(Number(new URL(platform.url).port), '127.0.0.1').pause();
    lagging.on('error', () => {});
    const tokensBefore = await generatedTokens();
    lagging.write(postBytes('/v1/completions', body(true, { n: 32, return_token_ids: true })));
    await pausedAfter(tokensBefore);
    await running(1);
    lagging.destroy();
    await running(0);
  });
});

const generatedTokens = () => worker('vllm:generation_tokens_total');

/**
 * Resolves when what began after `tokensBefore` stands still: others are stepped and end whole, and nothing but their tokens
 * is generated meanwhile.
 */
async function pausedAfter(tokensBefore: number): Promise<void> {
  await eventually(async () => (await generatedTokens()) > tokensBefore || undefined);
  const [count, maxTokens] = [8, 100];
  for (;;) {
    const from = await generatedTokens();
    const others = await Promise.all(Array.from({ length: count }, () => streamOutcome(platform.url, { maxTokens })));
    for (const other of others) expect(other).toMatchObject({ isDone: true, isCut: false });
    if ((await generatedTokens()) === from + count * maxTokens) return;
  }
}

/** Of a stream with token ids; an event holds several tokens when its reader fell behind. */
async function readAll(socket: Socket): Promise<{ readonly tokens: number; readonly isDone: boolean }> {
  let tokens = 0;
  let rest = '';
  for await (const chunk of socket) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data: {')) tokens += tokensIn(line.slice('data: '.length));
    rest = lines.includes('data: [DONE]') ? 'data: [DONE]' : rest;
  }
  return { tokens, isDone: rest.includes('data: [DONE]') };
}

function tokensIn(event: string): number {
  const { choices } = JSON.parse(event) as { choices: { token_ids?: number[] }[] };
  return choices.reduce((sum, { token_ids }) => sum + (token_ids?.length ?? 0), 0);
}
