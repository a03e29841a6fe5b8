import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { callUnary } from '#lib/channels';
import { publicApi } from '#lib/contracts';
import { startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

let platform: TestPlatform;
let client: publicApi.InferenceClient;
beforeAll(async () => {
  platform = await startTestPlatform();
  client = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
});
beforeEach(() => {
  platform.worker.onSubmit = (generation) => void generation.runToEnd();
});
afterAll(async () => {
  client.close();
  await platform.stop();
});

const timeoutMs = 10_000;
const completion = (maxTokens: number, extra: object = {}) =>
  publicApi.CompletionRequest.fromPartial({
    model: 'default',
    prompts: [{ value: { $case: 'text', value: 'hello' } }],
    options: { maxTokens, ...extra },
  });

const COMPLETE = '/hydra.v1.Inference/Complete';

/** A call in bytes of HTTP/2, which can be wrong in ways that no client of gRPC is. @returns the trailers */
async function rawCall(path: string, headers: Record<string, string>, body: Buffer): Promise<IncomingHttpHeaders> {
  const session = connect(`http://${platform.grpcTarget}`);
  const call = session.request({
    ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
    ...headers,
  });
  call.end(body);
  let trailers = {};
  call.once('trailers', (headers) => {
    trailers = headers;
  });
  const [answer] = await once(call, 'response');
  call.resume();
  await once(call, 'close');
  session.close();
  return { ...answer, ...trailers }; // a call that ends at once has them in its head
}
const message = (bytes: Buffer, isCompressed = false) => {
  const head = Buffer.alloc(5);
  head.writeUInt8(isCompressed ? 1 : 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};
const none = Buffer.alloc(0);
const whole = message(Buffer.from(publicApi.CompletionRequest.encode(completion(1)).finish()));

describe('calls that are wrong below their method', () => {
  const cases: readonly (readonly [string, string, Record<string, string>, Buffer, status, string])[] = [
    ['no message', COMPLETE, {}, none, status.UNIMPLEMENTED, 'bad_request'],
    ['two messages', COMPLETE, {}, Buffer.concat([whole, whole]), status.UNIMPLEMENTED, 'bad_request'],
    [
      'a message that is announced as too large',
      COMPLETE,
      {},
      Buffer.from('007fffffff', 'hex'),
      status.RESOURCE_EXHAUSTED,
      'request_too_large',
    ],
    [
      'an unknown compression',
      COMPLETE,
      { 'grpc-encoding': 'zip' },
      message(none, true),
      status.UNIMPLEMENTED,
      'unsupported_media_type',
    ],
    [
      'a message that cannot be unpacked',
      COMPLETE,
      { 'grpc-encoding': 'gzip' },
      message(Buffer.from('no'), true),
      status.INVALID_ARGUMENT,
      'bad_request',
    ],
    ['a timeout that is none', COMPLETE, { 'grpc-timeout': 'soon' }, whole, status.INVALID_ARGUMENT, 'bad_request'],
  ];
  it.each(cases)(
    'given %s, then the trailers say why as they do elsewhere',
    async (_name, path, headers, body, code, word) => {
      const answer = await rawCall(path, headers, body);
      expect(answer).toMatchObject({
        ...{ 'grpc-status': String(code), 'hydra-error-code': word, 'hydra-error-type': 'invalid_request_error' },
        'grpc-message': expect.stringMatching(/.{10}/),
      });
    },
  );

  it('given one past its deadline, then the trailers say so, and the worker is told', async () => {
    platform.worker.onSubmit = () => {};
    const index = platform.worker.generations.length;
    const answer = await rawCall(COMPLETE, { 'grpc-timeout': '2S' }, whole); // enough to reach the worker on a busy machine
    expect(answer).toMatchObject({ 'grpc-status': '4', 'hydra-error-code': 'deadline_exceeded' });
    expect(await platform.worker.cancelled(await platform.worker.generation(index))).toBe('deadline');
  });
});

describe('metrics of calls', () => {
  it('name the status as gRPC does, and count each call once, whoever ended it', async () => {
    const before = await countedCalls();
    await callUnary(client.complete.bind(client), completion(1), { timeoutMs });
    await callUnary(client.listModels.bind(client), {}, { timeoutMs });
    await ended(callUnary(client.getModel.bind(client), { id: 'none' }, { timeoutMs }));
    await ended(callUnary(client.complete.bind(client), completion(1, { temperature: 9 }), { timeoutMs }));
    const large = { ...completion(1), model: 'x'.repeat(5 * 2 ** 20) };
    await ended(callUnary(client.complete.bind(client), large, { timeoutMs }));
    await all(client.streamComplete(completion(2)));
    platform.worker.onSubmit = (generation) => generation.token();
    const left = client.streamComplete(completion(2)).on('error', () => {});
    await once(left, 'data');
    left.cancel();
    await vi.waitFor(
      async () =>
        expect(added(before, await countedCalls())).toEqual([
          'route="/hydra.v1.Inference/Complete",status="INVALID_ARGUMENT",code="invalid_value" 1',
          'route="/hydra.v1.Inference/Complete",status="OK",code="ok" 1',
          'route="/hydra.v1.Inference/Complete",status="RESOURCE_EXHAUSTED",code="request_too_large" 1',
          'route="/hydra.v1.Inference/GetModel",status="NOT_FOUND",code="model_not_found" 1',
          'route="/hydra.v1.Inference/ListModels",status="OK",code="ok" 1',
          'route="/hydra.v1.Inference/StreamComplete",status="CANCELLED",code="client_closed" 1',
          'route="/hydra.v1.Inference/StreamComplete",status="OK",code="ok" 1',
        ]),
      { timeout: 10_000 },
    );
  });

  it("count a deadline of the client's own apart, whether it comes with the call or in its message: no fault of ours", async () => {
    platform.worker.onSubmit = () => {};
    const before = await countedCalls();
    await rawCall(COMPLETE, { 'grpc-timeout': '500m' }, whole); // a client of grpc-js would end it itself, as if it left
    await ended(callUnary(client.complete.bind(client), completion(3, { timeoutMs: 100 }), { timeoutMs }));
    await vi.waitFor(
      async () =>
        expect(added(before, await countedCalls())).toEqual([
          'route="/hydra.v1.Inference/Complete",status="DEADLINE_EXCEEDED",code="client_deadline" 2',
        ]),
      { timeout: 10_000 },
    );
  });

  /** Calls so far, by their labels. */
  async function countedCalls(): Promise<ReadonlyMap<string, number>> {
    const metrics = await (await fetch(`${platform.url}/metrics`)).text();
    const lines = metrics.matchAll(/^hydra_gateway_requests_total\{(route="\/hydra\.v1.*)\} (\d+)$/gm);
    return new Map([...lines].map(([, labels, count]) => [labels ?? '', Number(count)]));
  }

  function added(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
    const more = [...after].map(([labels, count]) => [labels, count - (before.get(labels) ?? 0)] as const);
    return more
      .filter(([, count]) => count > 0)
      .map(([labels, count]) => `${labels} ${count}`)
      .sort();
  }

  const ended = (call: Promise<unknown>) => call.catch(() => {});

  async function all(source: AsyncIterable<unknown>): Promise<void> {
    for await (const _ of source);
  }
});
