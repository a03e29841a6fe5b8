import { once } from 'node:events';
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { callUnary } from '#lib/channels';
import { publicApi } from '#lib/contracts';
import { dataOf, openStream, startTestPlatform, type TestPlatform, textOf } from './test-support/test-platform.js';

let platform: TestPlatform;
afterEach(() => platform.stop());

const streamed = { model: 'default', prompt: 'hello', max_tokens: 4, stream: true };
const completions = () => `${platform.url}/v1/completions`;
/** Long enough to be noticed when something is waited for that ought not to be. */
const GRACE_MS = 3_600_000;
/** `HealthCheckResponse.status` as it is on the wire. */
const [SERVING, NOT_SERVING] = ['0801', '0802'];
const asBytes = (bytes: Buffer) => bytes;

describe('shutdown', () => {
  it('given running streams, then they finish, new requests are refused, and what is left ends with an error', async () => {
    platform = await startTestPlatform();
    platform.worker.onSubmit = (generation) => generation.token();
    const finishing = await openStream(completions(), streamed).response;
    const hanging = await openStream(completions(), streamed).response;
    const stopped = platform.gateway.stop(2_000); // time enough for the one that finishes
    void (await platform.worker.generation(0)).runToEnd();
    expect(dataOf(await textOf(finishing)).at(-1)).toBe('[DONE]');
    await expect(fetch(`${platform.url}/v1/models`)).rejects.toThrow();
    expect(dataOf(await textOf(hanging)).at(-1)).toContain('"code":"draining"');
    expect(await platform.worker.cancelled(await platform.worker.generation(1))).toBe('shutdown');
    await stopped;
  });

  it('given a stream over gRPC, then its connection is not ended before it: a new call there is answered', async () => {
    platform = await startTestPlatform();
    const client = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
    const request = publicApi.CompletionRequest.fromPartial({
      model: 'default',
      prompts: [{ value: { $case: 'text', value: 'hello' } }],
      options: { maxTokens: 4 },
    });
    platform.worker.onSubmit = (generation) => generation.token();
    const running: AsyncIterable<publicApi.CompletionChunk> = client.streamComplete(request);
    const generation = await platform.worker.generation();
    const stopped = platform.gateway.stop(GRACE_MS);
    await expect(callUnary(client.complete.bind(client), request, { timeoutMs: 10_000 })).rejects.toMatchObject({
      codeName: 'UNAVAILABLE',
      details: 'The server is shutting down. Please try again.',
    });
    void generation.runToEnd();
    let text = '';
    for await (const { choices } of running) text += choices[0]?.text ?? '';
    expect(text).toBe(' w0 w1 w2 w3');
    await stopped;
    client.close();
  });

  it('given a watcher of the health service, then it is told once and holds nothing up', async () => {
    platform = await startTestPlatform();
    const client = new Client(platform.grpcTarget, credentials.createInsecure());
    const watch = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', asBytes, asBytes, Buffer.alloc(0));
    const told: string[] = [];
    watch.on('data', (status: Buffer) => told.push(status.toString('hex')));
    const ended = once(watch, 'error');
    await once(watch, 'data');
    platform.worker.onSubmit = (generation) => generation.token();
    const hanging = await openStream(completions(), streamed).response;
    const generation = await platform.worker.generation();
    const stopped = platform.gateway.stop(GRACE_MS);
    platform.scheduler.publish(); // a change of the fleet is no reason to serve again
    platform.scheduler.publish();
    void generation.runToEnd();
    expect(dataOf(await textOf(hanging)).at(-1)).toBe('[DONE]');
    await stopped;
    await ended;
    expect(told).toEqual([SERVING, NOT_SERVING]);
    client.close();
  });
});
