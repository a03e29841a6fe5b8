import { readFileSync } from 'node:fs';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from './support/platform.js';

let platform: RunningPlatform;
let client: OpenAI;

beforeAll(async () => {
  platform = await startPlatform({
    env: { HYDRA_ENGINE: 'mock', HYDRA_MOCK_TTFT_MS: '1', HYDRA_MOCK_ITL_MS: '1', HYDRA_LOG_LEVEL: 'debug' },
  });
  client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => platform?.stop());

const messages = [{ role: 'user' as const, content: 'Say something.' }];

describe('the platform on the mock engine, through the openai client', () => {
  it('given a chat, when streamed, then the pieces are the whole answer and usage comes last', async () => {
    const whole = await client.chat.completions.create({ model: 'default', messages, max_tokens: 12, seed: 1 });
    const stream = await client.chat.completions.create({
      model: 'default',
      messages,
      max_tokens: 12,
      seed: 1,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(text.length).toBeGreaterThan(0);
    expect(usage).toMatchObject({ completion_tokens: 12, prompt_tokens: whole.usage?.prompt_tokens });
    expect(whole.usage?.total_tokens).toBe((whole.usage?.prompt_tokens ?? 0) + 12);
    expect(whole.choices[0]?.finish_reason).toBe('length');
  });

  it('given a prompt seen before, when completed again, then cached tokens are reported', async () => {
    const prompt = 'The same long prompt, twice, to be found in the prefix cache the second time it is asked. '.repeat(
      4,
    );
    await client.completions.create({ model: 'default', prompt, max_tokens: 1 });
    const again = await client.completions.create({ model: 'default', prompt, max_tokens: 1 });
    expect(again.usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(0);
  });

  it('given several prompts and n, when completed, then every choice has its index', async () => {
    const answer = await client.completions.create({ model: 'default', prompt: ['one', 'two'], n: 2, max_tokens: 3 });
    expect(answer.choices.map((choice) => choice.index).sort()).toEqual([0, 1, 2, 3]);
  });

  it('given the list of models, when read, then models and aliases are there, also those with a slash', async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    expect(ids).toContain('smollm2-135m-instruct');
    expect(ids).toContain('mistralai/Mistral-7B-v0.1');
    expect((await client.models.retrieve('mistralai/Mistral-7B-v0.1')).id).toBe('mistralai/Mistral-7B-v0.1');
    await expect(client.models.retrieve('nobody/none')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it('given a request id and a traceparent, when a request runs, then the id comes back and both are in the lines of all apps', async () => {
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    const response = await fetch(`${platform.url}/v1/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-request-id': 'find-me-42',
        traceparent: `00-${trace}-00f067aa0ba902b7-01`,
      },
      body: JSON.stringify({ model: 'default', prompt: 'x', max_tokens: 2 }),
    });
    expect(response.headers.get('x-request-id')).toBe('find-me-42');
    for (const app of ['gateway', 'scheduler', 'worker-0']) {
      const line = await platform.line(new RegExp(`^${app} .*"request_id":"find-me-42"`));
      expect(line, app).toContain(trace);
    }
  });

  it("given the customer's request, when posted as it stands, then tokens stream", async () => {
    const response = await fetch(`${platform.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'mistralai/Mistral-7B-v0.1',
        prompt: 'Explain photosynthesis in simple terms:',
        max_tokens: 200,
        temperature: 0.7,
        stream: true,
      }),
    });
    const body = await response.text();
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(body.match(/^data: \{/gm)?.length).toBeGreaterThan(10);
    expect(body.trimEnd().endsWith('data: [DONE]')).toBe(true);
  });

  it('given the health routes, metrics and documents of the gateway, when fetched, then they answer', async () => {
    for (const path of ['/health/live', '/health/ready', '/health/startup', '/metrics', '/docs']) {
      expect((await fetch(`${platform.url}${path}`)).status, path).toBe(200);
    }
    const document = (await (await fetch(`${platform.url}/openapi.json`)).json()) as { openapi: string; paths: object };
    expect(document.openapi).toMatch(/^3\.1/);
    expect(Object.keys(document.paths)).toContain('/v1/chat/completions');
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(JSON.stringify(document)).toContain(version);
  });
});

describe('hydra up', () => {
  it('given Ctrl-C while a stream runs, when it stops, then the stream ends whole and the exit code is 0', async () => {
    const own = await startPlatform({ env: { HYDRA_ENGINE: 'mock', HYDRA_MOCK_ITL_MS: '20' } });
    const response = await fetch(`${own.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'default', prompt: 'x', max_tokens: 50, stream: true }),
    });
    const stopped = own.stop();
    expect((await response.text()).trimEnd().endsWith('data: [DONE]')).toBe(true);
    expect(await stopped).toBe(0);
  });

  it('given a wrong variable, when started, then it ends with code 78 and names it', async () => {
    await expect(startPlatform({ env: { HYDRA_ENGINE: 'onxx' } })).rejects.toThrow(
      /code 78[\s\S]*HYDRA_ENGINE: expected one of/,
    );
  });
});
