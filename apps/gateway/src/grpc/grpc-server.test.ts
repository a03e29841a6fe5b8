import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callUnary, GrpcStatusError } from '#lib/channels';
import { FinishReason, publicApi } from '#lib/contracts';
import type { FakeGeneration } from '../test-support/fake-worker.js';
import { startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

let platform: TestPlatform;
let client: publicApi.InferenceClient;
beforeAll(async () => {
  platform = await startTestPlatform({ gateway: { streamBufferTokens: 16 } });
  client = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
});
beforeEach(() => {
  platform.worker.onSubmit = (generation) => void generation.runToEnd();
});
afterAll(async () => {
  client.close();
  await platform.stop();
});

const completion = (maxTokens: number, extra: object = {}) =>
  publicApi.CompletionRequest.fromPartial({
    model: 'default',
    prompts: [{ value: { $case: 'text', value: 'hello' } }],
    options: { maxTokens, ...extra },
  });
const chat = publicApi.ChatRequest.fromPartial({
  model: 'default',
  messages: [{ role: 'user', content: 'Say something.' }],
  options: { maxTokens: 3 },
});
const timeoutMs = 10_000;
const TEXT = 'x'.repeat(65_536);

async function rejection(call: Promise<unknown>): Promise<GrpcStatusError> {
  const error = await call.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(GrpcStatusError);
  return error as GrpcStatusError;
}

describe('hydra.v1.Inference', () => {
  it('completes and chats, whole and streamed alike, with usage last', async () => {
    const whole = await callUnary(client.complete.bind(client), completion(3), { timeoutMs });
    expect(whole.choices[0]).toMatchObject({ text: ' w0 w1 w2', finishReason: 'length' });
    const chunks = await all<publicApi.CompletionChunk>(client.streamComplete(completion(3)));
    expect(chunks.flatMap(({ choices }) => choices.map(({ text }) => text)).join('')).toBe(' w0 w1 w2');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
    const answer = await callUnary(client.chat.bind(client), chat, { timeoutMs });
    expect(answer.choices[0]?.message).toMatchObject({ role: 'assistant', content: ' w0 w1 w2' });
    const chatChunks = await all<publicApi.ChatChunk>(client.streamChat(chat));
    expect(chatChunks.flatMap(({ choices }) => choices.map(({ content }) => content)).join('')).toBe(' w0 w1 w2');
    expect(chatChunks[0]?.choices[0]?.role).toBe('assistant');
  });

  it('lists models and aliases', async () => {
    const { models } = await callUnary(client.listModels.bind(client), {}, { timeoutMs });
    expect(models.map(({ id }) => id)).toEqual(['test-model', 'default', 'org/Some-Model-7B']);
    const model = await callUnary(client.getModel.bind(client), { id: 'org/Some-Model-7B' }, { timeoutMs });
    expect(model).toMatchObject({ parent: 'test-model', contextTokens: 512 });
  });

  it('refuses with a status and the words of REST in the trailers', async () => {
    const call = callUnary(client.complete.bind(client), completion(3, { temperature: 9 }), { timeoutMs });
    const error = await rejection(call);
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.metadata.getMap()).toMatchObject({
      'hydra-error-code': 'invalid_value',
      'hydra-error-type': 'invalid_request_error',
      'hydra-error-param': 'temperature',
    });
    const unknown = await rejection(callUnary(client.getModel.bind(client), { id: 'none' }, { timeoutMs }));
    expect(unknown.code).toBe(status.NOT_FOUND);
    const streamed = client.streamChat({ ...chat, model: 'none' });
    const streamError = await all(streamed).catch((caught: ServiceError) => caught);
    expect(streamError).toMatchObject({ code: status.NOT_FOUND });
  });

  it('takes request id and trace from the metadata and gives the id back', async () => {
    const metadata = new Metadata();
    metadata.set('x-request-id', 'find-me');
    metadata.set('traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`);
    const call = client.streamComplete(completion(1), metadata);
    const answered = new Promise<Metadata>((resolve) => call.once('metadata', resolve));
    await all(call);
    expect((await answered).get('x-request-id')).toEqual(['find-me']);
    expect(platform.worker.generations.at(-1)?.request.trace?.traceparent).toContain('a'.repeat(32));
  });

  it('given a message that cannot be decoded, then the call fails and others go on', async () => {
    const raw = new Client(platform.grpcTarget, credentials.createInsecure());
    const error = await new Promise<ServiceError | null>((resolve) =>
      raw.makeUnaryRequest(
        '/hydra.v1.Inference/Complete',
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        Buffer.from([0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        resolve,
      ),
    );
    expect([status.INVALID_ARGUMENT, status.INTERNAL]).toContain(error?.code);
    raw.close();
    expect((await callUnary(client.complete.bind(client), completion(1), { timeoutMs })).choices).toHaveLength(1);
  });

  it('given a message over the limit, then it is refused and nothing runs', async () => {
    const request = { ...completion(1), model: 'x'.repeat(5 * 2 ** 20) };
    const before = platform.worker.generations.length;
    const error = await rejection(callUnary(client.complete.bind(client), request, { timeoutMs }));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(error.metadata.get('hydra-error-code')).toEqual(['request_too_large']);
    expect(platform.worker.generations).toHaveLength(before);
  });

  it('given a cancelled call or one past its deadline, then the worker is told', async () => {
    platform.worker.onSubmit = (generation) => generation.token();
    const index = platform.worker.generations.length;
    const call = client.streamComplete(completion(4));
    call.on('error', () => {});
    await new Promise((resolve) => call.once('data', resolve));
    call.cancel();
    expect(await platform.worker.cancelled(await platform.worker.generation(index))).toBe('client-gone');
    const shortMs = 2_000; // long enough to reach the worker on a machine that is busy with something else
    const calledAtUnixMs = Date.now();
    const late = rejection(callUnary(client.complete.bind(client), completion(4), { timeoutMs: shortMs }));
    const generation = await platform.worker.generation(index + 1);
    const seenAtUnixMs = Date.now();
    expect((await late).code).toBe(status.DEADLINE_EXCEEDED);
    expect(['deadline', 'client-gone']).toContain(await platform.worker.cancelled(generation));
    // What travels is the time that is left, so the server's deadline is later by the way there; and whole milliseconds.
    const { deadlineUnixMs } = generation.request;
    expect(deadlineUnixMs).toBeGreaterThanOrEqual(calledAtUnixMs + shortMs - 1);
    expect(deadlineUnixMs).toBeLessThanOrEqual(seenAtUnixMs + shortMs + 1);
  });

  it('given a client that does not read, then the worker pauses and another call is served', async () => {
    let slow: FakeGeneration | undefined;
    platform.worker.onSubmit = (generation) => {
      if (generation.request.stop?.maxTokens !== 400) return void generation.runToEnd();
      slow = generation;
      return void flood(generation);
    };
    // A connection of its own: HTTP/2 gives all calls of a connection one window.
    const slowClient = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    const call = slowClient.streamComplete(completion(400));
    const messages = call[Symbol.asyncIterator]();
    const characters = (chunk: publicApi.CompletionChunk) => chunk.choices[0]?.text.length ?? 0;
    // The first is read: before that, grpc-js's client takes all there is.
    const first: IteratorResult<publicApi.CompletionChunk> = await messages.next();
    let settled = -1;
    while (settled !== slow?.sent || slow.credit > 0) {
      settled = slow?.sent ?? -1;
      await callUnary(client.complete.bind(client), completion(1), { timeoutMs });
    }
    expect(settled).toBeLessThan(400);
    const rest = await all<publicApi.CompletionChunk>({ [Symbol.asyncIterator]: () => messages });
    const total = [first.value, ...rest].reduce((sum, chunk) => sum + characters(chunk), 0);
    expect(total).toBe(400 * TEXT.length);
    slowClient.close();
  });
});

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

async function flood(generation: FakeGeneration): Promise<void> {
  while (generation.sent < 400) {
    await generation.changed.until(() => generation.credit > 0);
    const isLast = generation.sent === 399;
    generation.token(isLast ? FinishReason.LENGTH : FinishReason.UNSPECIFIED, TEXT);
  }
  generation.finish();
}

describe('messages that cannot be decoded', () => {
  const send = (method: string, bytes: Buffer): Promise<Buffer> => {
    const raw = new Client(platform.grpcTarget, credentials.createInsecure());
    const same = (message: Buffer) => message;
    return new Promise<Buffer>((resolve, reject) =>
      raw.makeUnaryRequest(`/hydra.v1.Inference/${method}`, same, same, bytes, (error, answer) =>
        error ? reject(error) : resolve(answer as Buffer),
      ),
    ).finally(() => raw.close());
  };
  const caught = (method: string, bytes: Buffer) =>
    send(method, bytes).then(
      () => undefined,
      (error: ServiceError) => error,
    );

  it.each(['Complete', 'StreamComplete', 'Chat', 'GetModel'])(
    'given %s with bytes that are no message, then INVALID_ARGUMENT',
    async (method) => {
      const error = await caught(method, Buffer.from('ffffffffffff', 'hex'));
      expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
      expect(error?.metadata.get('hydra-error-code')).toEqual(['bad_request']);
    },
  );

  it('given a seed above 2^53 - 1, then the parameter is named', async () => {
    const seed = Buffer.from('1a0b50ffffffffffffffffff01', 'hex'); // options { seed: 2^64 - 1 }
    const error = await caught('StreamComplete', Buffer.concat([Buffer.from(completionBytes()), seed]));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(error?.metadata.get('hydra-error-param')).toEqual(['seed']);
  });

  const completionBytes = () => publicApi.CompletionRequest.encode(completion(1)).finish();
});
