import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { Client, connectivityState, credentials } from '@grpc/grpc-js';
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

  it('given a notice, then the gateway is not ready, still answers, and sends clients elsewhere with every answer', async () => {
    platform = await startTestPlatform();
    platform.worker.onSubmit = (generation) => generation.token();
    const agent = new Agent({ keepAlive: true });
    const ask = () =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const headers = { 'content-type': 'application/json' };
        const asked = request(completions(), { method: 'POST', agent, headers }, resolve);
        asked.on('error', reject);
        asked.end(JSON.stringify(streamed));
      });
    const begun = await ask();
    expect(begun.headers.connection).toBe('keep-alive'); // its head says nothing of an end
    const notice = Promise.withResolvers<void>();
    const stopped = platform.gateway.stop(GRACE_MS, notice.promise);
    const ready = await fetch(`${platform.url}/health/ready`);
    expect([ready.status, ready.headers.get('connection')]).toEqual([503, 'close']);
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    const answer = await ask();
    expect([answer.statusCode, answer.headers.connection]).toEqual([200, 'close']);
    expect(dataOf(await textOf(answer)).at(-1)).toBe('[DONE]');
    notice.resolve();
    while (
      await fetch(`${platform.url}/health/live`).then(
        () => true,
        () => false,
      )
    )
      await setImmediate();
    void (await platform.worker.generation(0)).runToEnd();
    const closed = once(begun.socket, 'close');
    expect(dataOf(await textOf(begun)).at(-1)).toBe('[DONE]');
    await closed;
    await stopped;
    agent.destroy();
  });

  it('given a stream over gRPC, then it runs to its end though its connection is told that there will be no other call', async () => {
    platform = await startTestPlatform();
    const client = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
    const completion = publicApi.CompletionRequest.fromPartial({
      model: 'default',
      prompts: [{ value: { $case: 'text', value: 'hello' } }],
      options: { maxTokens: 4 },
    });
    platform.worker.onSubmit = (generation) => generation.token();
    const running: AsyncIterable<publicApi.CompletionChunk> = client.streamComplete(completion);
    const generation = await platform.worker.generation();
    const stopped = platform.gateway.stop(GRACE_MS);
    // The client has heard of it, and looks for another server.
    while (client.getChannel().getConnectivityState(true) === connectivityState.READY) await setImmediate();
    await expect(callUnary(client.complete.bind(client), completion, { timeoutMs: 10_000 })).rejects.toMatchObject({
      codeName: 'UNAVAILABLE',
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
