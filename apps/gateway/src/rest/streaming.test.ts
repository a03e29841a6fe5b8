import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FinishReason } from '#lib/contracts';
import { RawClient } from '../test-support/raw-client.js';
import { dataOf, post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

let platform: TestPlatform;
let client: OpenAI;
beforeAll(async () => {
  platform = await startTestPlatform();
  client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => platform.stop());

describe('answers through the openai client', () => {
  it('given a chat, when whole and streamed, then both say the same and report usage', async () => {
    const messages = [{ role: 'user' as const, content: 'Say something.' }];
    const whole = await client.chat.completions.create({ model: 'default', messages, max_tokens: 5 });
    expect(whole.choices[0]?.message.content).toBe(' w0 w1 w2 w3 w4');
    expect(whole.choices[0]?.finish_reason).toBe('length');
    expect(whole.model).toBe('default');
    const stream = await client.chat.completions.create({
      ...{ model: 'default', messages, max_tokens: 5, stream: true },
      stream_options: { include_usage: true },
    });
    let text = '';
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(usage).toEqual(whole.usage);
    expect(usage?.completion_tokens).toBe(5);
  });

  it('given several prompts and n, when streamed, then every choice comes whole under its own index', async () => {
    const stream = await client.completions.create({
      ...{ model: 'test-model', prompt: ['one', 'two', 'three'], n: 2, max_tokens: 3, stream: true },
    });
    const texts = new Map<number, string>();
    for await (const { choices } of stream) {
      for (const { index, text } of choices) texts.set(index, (texts.get(index) ?? '') + text);
    }
    expect([...texts.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(new Set(texts.values())).toEqual(new Set([' w0 w1 w2']));
  });

  it("given parameters that the client leaves out, when asked, then they are the model's, and given ones are kept", async () => {
    const { generations } = platform.worker;
    await client.completions.create({ model: 'test-model', prompt: 'x', max_tokens: 1 });
    expect(generations.at(-1)?.request.sampling).toMatchObject({ temperature: 0.25, topP: 0.75, topK: 0 });
    await client.completions.create({ model: 'test-model', prompt: 'x', max_tokens: 1, temperature: 1, top_p: 1 });
    expect(generations.at(-1)?.request.sampling).toMatchObject({ temperature: 1, topP: 1 });
  });

  it('given models and aliases, when listed and retrieved, then ids with slashes work', async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    expect(ids).toEqual(['test-model', 'default', 'org/Some-Model-7B']);
    expect(await client.models.retrieve('org/Some-Model-7B')).toMatchObject({ parent: 'test-model' });
    const raw = await fetch(`${platform.url}/v1/models/org/Some-Model-7B`);
    expect(await raw.json()).toMatchObject({ id: 'org/Some-Model-7B', object: 'model' });
    await expect(client.models.retrieve('nobody/none')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it('given a model without a worker, when asked, then it is 503 rather than unknown', async () => {
    const asked = client.completions.create({ model: 'sleeping-model', prompt: 'x' });
    await expect(asked).rejects.toMatchObject({ status: 503, code: 'no_worker' });
  });
});

describe('a stream on the wire', () => {
  it('ends with [DONE], carries the request id and is not buffered on the way', async () => {
    const body = { model: 'default', prompt: 'hello', max_tokens: 2, stream: true };
    const response = await post(`${platform.url}/v1/completions`, body, { 'x-request-id': 'find-me' });
    const events = dataOf(await response.text());
    expect(events.at(-1)).toBe('[DONE]');
    expect(events).toHaveLength(3);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('x-request-id')).toBe('find-me');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
  });

  it('passes the trace on with a span of its own, and what placement needs', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
    const prompt = 'a prompt of more than thirty-two tokens, so that it has two full blocks';
    await post(
      `${platform.url}/v1/completions`,
      { model: 'default', prompt, max_tokens: 4, n: 2, user: 'ada', prompt_cache_key: 'cache-7' },
      { 'x-request-id': 'find-me', traceparent },
    ).then((response) => response.text());
    const place = platform.scheduler.places.at(-1);
    expect(place).toMatchObject({ requestId: 'find-me', sessionKey: 'cache-7', attempt: 0, sequenceCount: 2 });
    expect(place).toMatchObject({ modelId: 'test-model', promptTokens: prompt.length, maxOutputTokens: 8 });
    expect(place?.prefixHashes).toHaveLength(Math.floor(prompt.length / 16) * 16);
    const request = platform.worker.generations.at(-1)?.request;
    expect(request?.trace?.traceparent).toMatch(new RegExp(`^00-${traceId}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`));
    expect(request?.generationId).toBe(place?.generationId);
    expect(request?.leaseId).toBe(`lease-${platform.scheduler.places.length}`);
  });

  it('prefers the x-session-id header as the session key', async () => {
    const body = { model: 'default', prompt: 'x', max_tokens: 1, user: 'ada' };
    await post(`${platform.url}/v1/completions`, body, { 'x-session-id': 'session-1' });
    expect(platform.scheduler.places.at(-1)?.sessionKey).toBe('session-1');
  });

  it('releases every lease with what was used', async () => {
    const placed = platform.scheduler.places.length;
    await post(`${platform.url}/v1/completions`, { model: 'default', prompt: ['a', 'b'], max_tokens: 3 });
    for (const leaseId of [`lease-${placed + 1}`, `lease-${placed + 2}`]) {
      const release = await platform.scheduler.released(leaseId);
      expect(release).toMatchObject({ outcome: 'finished', usage: { promptTokens: 1, completionTokens: 3 } });
      expect(release.ttftUs).toBeGreaterThan(0);
    }
  });

  it('reads the tokenizer once for all requests', () => {
    expect(platform.worker.fileReads).toBe(1);
  });
});

/** Values of `$ref` in a document, at any depth. */
function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : referencesIn(inner),
  );
}

describe('documents and probes', () => {
  it('serves health, metrics, Swagger and an OpenAPI 3.1 document', async () => {
    for (const path of ['/health/live', '/health/ready', '/health/startup', '/metrics', '/docs']) {
      expect((await fetch(`${platform.url}${path}`)).status, path).toBe(200);
    }
    const document = (await (await fetch(`${platform.url}/openapi.json`)).json()) as { openapi: string; paths: object };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toContain('/v1/chat/completions');
    const headersOf = (path: string) => {
      const { post } = (document.paths as Record<string, { post: { parameters: { name: string }[] } }>)[path]!;
      return post.parameters.map(({ name }) => name);
    };
    for (const path of ['/v1/completions', '/v1/chat/completions'])
      expect(headersOf(path)).toContain('Idempotency-Key');
    expect(headersOf('/v1/embeddings')).toEqual(['x-request-id', 'x-session-id', 'traceparent']);
    for (const reference of referencesIn(document)) {
      expect(reference).toMatch(/^#\//);
      const path = reference.slice(2).split('/');
      expect(
        path.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document),
        reference,
      ).toBeDefined();
    }
    expect((await fetch(`${platform.url}/docs-yaml`)).status).toBe(404);
    for (const path of ['/v1/models', '/v1/models/test-model']) {
      expect((await fetch(`${platform.url}${path}`)).status, path).toBe(200);
    }
    const metrics = await (await fetch(`${platform.url}/metrics`)).text();
    for (const route of ['/v1/models', '/v1/models/\\*']) {
      expect(metrics).toMatch(new RegExp(`requests_total\\{route="${route}",status="200",code="ok"\\} [1-9]`));
    }
    expect(metrics).not.toMatch(/requests_total\{route="\/(health|metrics|docs)/);
    expect(metrics).toContain('hydra_gateway_time_to_first_token_seconds_bucket');
    expect(metrics).toMatch(/hydra_gateway_requests_total\{route="\/v1\/completions",status="200",code="ok"\} \d+/);
  });
});

describe('the bytes of a stream', () => {
  const request = (version: string) => {
    const body = JSON.stringify({ model: 'test-model', prompt: 'x', max_tokens: 2, stream: true });
    const head = [`POST /v1/completions HTTP/${version}`, 'host: x', 'content-type: application/json'];
    return `${head.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  };
  const speaks = (...texts: string[]) => {
    platform.worker.onSubmit = (generation) => {
      for (const [index, text] of texts.entries()) {
        generation.token(index === texts.length - 1 ? FinishReason.LENGTH : FinishReason.UNSPECIFIED, text);
      }
      generation.finish();
    };
  };
  afterAll(() => {
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
  });

  it('given text of several bytes a character, then chunks are as long as they say, and the connection takes two requests at once', async () => {
    speaks('é😀', '終');
    const client = new RawClient(platform.httpPort);
    client.send(request('1.1') + request('1.1'));
    await client.has('[DONE]\n\n\r\n0\r\n\r\nHTTP/1.1 200');
    await client.has('HTTP/1.1 200');
    await expect.poll(() => client.text.split('0\r\n\r\n').length).toBe(3);
    const answers = client.text.split(/(?=HTTP\/1\.1 200)/);
    expect(answers).toHaveLength(2);
    for (const answer of answers) {
      let rest = Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4));
      let events = '';
      for (;;) {
        const lineEnd = rest.indexOf('\r\n');
        const length = Number.parseInt(rest.toString('latin1', 0, lineEnd), 16);
        if (length === 0) break;
        events += rest.toString('utf8', lineEnd + 2, lineEnd + 2 + length);
        expect(rest.toString('latin1', lineEnd + 2 + length, lineEnd + 4 + length)).toBe('\r\n');
        rest = rest.subarray(lineEnd + 4 + length);
      }
      const texts = dataOf(events).flatMap((data) => (data === '[DONE]' ? [] : [JSON.parse(data).choices[0].text]));
      expect(texts.join('')).toBe('é😀終');
    }
    client.halfClose();
    await client.closed();
  });

  it('given HTTP/1.0, which knows no chunks, then the events come as they are, and the connection ends with them', async () => {
    speaks('one', 'two');
    const client = new RawClient(platform.httpPort);
    client.send(request('1.0'));
    const [head, body] = (await client.closed()).split('\r\n\r\n', 2);
    expect(head?.toLowerCase()).not.toContain('transfer-encoding');
    expect(body).toMatch(/^data: \{[\s\S]*data: \[DONE\]\n\n$/);
  });
});
