import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publicApi } from '#lib/contracts';
import { metricsOf } from './support/app-metrics.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
const { cases } = JSON.parse(readFileSync(`${MODEL}/golden.json`, 'utf8')) as { cases: { prompt: number[] }[] };
/** A prompt of 160 tokens that begins as no other one. */
const promptOf = (first: number, tokens = 160) => {
  const pool = cases.flatMap(({ prompt }) => prompt);
  return Array.from({ length: tokens }, (_, i) => pool[(first * 37 + i * 3) % pool.length]!);
};
/** Memory for four prompts like that, so that what is kept has to go for others. */
const KV_TOKENS = 640;
const KV_BYTES_PER_TOKEN = 2 * 3 * 2 * 32 * 4;

interface Completed {
  readonly ids: number[][];
  readonly promptTokens: number;
  readonly cached: number;
  /** Prompt tokens that the worker computed for it. */
  readonly computed: number;
}

/** A platform on the tiny model in fp32, where each request can be seen to cost what it costs. */
class TinyPlatform {
  private constructor(readonly platform: RunningPlatform) {}

  static async start(env: Readonly<Record<string, string>>): Promise<TinyPlatform> {
    const yaml = `models: [{ id: tiny, source: ${MODEL}, weights: fp32, contextTokens: 320 }]\n`;
    return new TinyPlatform(await startPlatform({ yaml, env }));
  }

  async complete(prompt: number[], options: object = {}): Promise<Completed> {
    const before = await this.totals();
    const response = await fetch(`${this.platform.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'tiny',
        prompt,
        max_tokens: 8,
        temperature: 0,
        ignore_eos: true,
        return_token_ids: true,
        ...options,
      }),
    });
    const answer = (await response.json()) as {
      choices: { token_ids: number[] }[];
      usage: { prompt_tokens: number; prompt_tokens_details: { cached_tokens: number } };
    };
    expect(response.status, JSON.stringify(answer)).toBe(200);
    const { computed } = await this.totals();
    return {
      ids: answer.choices.map(({ token_ids }) => token_ids),
      promptTokens: answer.usage.prompt_tokens,
      cached: answer.usage.prompt_tokens_details.cached_tokens,
      computed: computed - before.computed,
    };
  }

  /** Of the one worker, since its start. */
  async totals(): Promise<{ computed: number; evicted: number; cachedBytes: number }> {
    const worker = metricsOf(this.platform, 'worker-0');
    const found = await worker('hydra_worker_prefix_hit_tokens_total');
    return {
      computed: (await worker('hydra_worker_prompt_tokens_total')) - found,
      evicted: await worker('hydra_worker_prefix_evicted_blocks_total'),
      cachedBytes: await worker('hydra_worker_kv_cached_bytes'),
    };
  }
}

let kept: TinyPlatform;
let plain: TinyPlatform;
beforeAll(async () => {
  const memory = { HYDRA_KV_BYTES: String(KV_TOKENS * KV_BYTES_PER_TOKEN) };
  kept = await TinyPlatform.start(memory);
  plain = await TinyPlatform.start({ ...memory, HYDRA_PREFIX_CACHE: 'false' });
});
afterAll(() => Promise.all([kept?.platform.stop(), plain?.platform.stop()]));

describe('a platform that keeps prefixes', () => {
  it('given a chat of several turns, when each repeats all before it, then only what is new is computed, and the words are those of a platform that keeps nothing', async () => {
    const clientOf = ({ platform }: TinyPlatform) =>
      new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const messages: OpenAI.ChatCompletionMessageParam[] = [
      { role: 'system', content: 'You answer in one word, always.' },
    ];
    const ask = (own: TinyPlatform) =>
      clientOf(own).chat.completions.create({ model: 'tiny', messages, max_tokens: 20, temperature: 0 });
    let known = 0;
    for (const question of ['What is red?', 'And what is blue?', 'What is between the two?']) {
      messages.push({ role: 'user', content: question });
      const [answer, expected] = [await ask(kept), await ask(plain)];
      expect(answer.choices[0]?.message.content).toBe(expected.choices[0]?.message.content);
      expect(expected.usage?.prompt_tokens_details?.cached_tokens).toBe(0);
      const { prompt_tokens: promptTokens, prompt_tokens_details: details } = answer.usage!;
      // all full blocks of the prompt of the turn before; of its answer what becomes the same tokens again
      expect(details?.cached_tokens).toBeGreaterThanOrEqual(Math.floor(known / 16) * 16);
      expect(details?.cached_tokens).toBeLessThan(promptTokens);
      known = promptTokens;
      messages.push({ role: 'assistant', content: answer.choices[0]?.message.content ?? '' });
    }
    expect(known).toBeGreaterThan(64);
  });

  it('given a prompt seen before, when it comes again, streamed or over gRPC, then the usage says what was found', async () => {
    const prompt = promptOf(1);
    const first = await kept.complete(prompt);
    expect([first.cached, first.computed]).toEqual([0, 160]);
    const again = await kept.complete(prompt);
    expect(again).toMatchObject({ ids: first.ids, cached: 160, computed: 0 });
    expect((await plain.complete(prompt)).ids).toEqual(first.ids);

    const client = new OpenAI({ baseURL: `${kept.platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const stream = await client.completions.create({
      model: 'tiny',
      prompt,
      max_tokens: 1,
      stream: true,
      stream_options: { include_usage: true },
    });
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) usage = chunk.usage ?? usage;
    expect(usage?.prompt_tokens_details?.cached_tokens).toBe(160);

    const grpc = new publicApi.InferenceClient(kept.platform.grpcTarget, credentials.createInsecure());
    const response = await new Promise<publicApi.CompletionResponse>((resolve, reject) => {
      const request = publicApi.CompletionRequest.fromPartial({
        model: 'tiny',
        prompts: [{ value: { $case: 'tokenIds', value: { ids: prompt } } }],
        options: { maxTokens: 1 },
      });
      grpc.complete(request, (error, answer) => (error === null ? resolve(answer) : reject(error)));
    });
    grpc.close();
    expect(response.usage?.cachedTokens).toBe(160);
  });

  it('given n choices of a prompt seen before, when they are drawn, then it is found once and each is what it is without', async () => {
    const prompt = promptOf(2, 100);
    await kept.complete(prompt);
    const options = { n: 3, temperature: 1, seed: 11 };
    const drawn = await kept.complete(prompt, options);
    expect(drawn).toMatchObject({ cached: 100, computed: 0 });
    expect(drawn.ids).toEqual((await plain.complete(prompt, options)).ids);
  });

  it('given two salts, when the same prompt comes under both, then each costs what it costs a stranger, before and after', async () => {
    const prompt = promptOf(3, 100);
    const costs = async (salt: string | undefined) => (await kept.complete(prompt, { cache_salt: salt })).computed;
    expect(await costs('a')).toBe(100);
    expect(await costs('b')).toBe(100); // not told, by the work it takes, that somebody asked it before
    expect(await costs(undefined)).toBe(100);
    // from the store, or from a slot that it stands in still
    expect(await costs('a')).toBeLessThanOrEqual(4);
    expect(await costs('b')).toBeLessThanOrEqual(4);
  });

  it('given more prompts than fit, when they come in turn, then what is kept makes room, stays within the memory, and every answer is that of a platform that keeps nothing', async () => {
    const before = (await kept.totals()).evicted;
    const prompts = Array.from({ length: 10 }, (_, i) => promptOf(10 + (i % 7)));
    const answers = await Promise.all(prompts.map((prompt) => kept.complete(prompt)));
    for (const [index, prompt] of prompts.entries()) {
      expect(answers[index]?.ids).toEqual((await plain.complete(prompt)).ids);
      expect((await kept.complete(prompt)).ids).toEqual(answers[index]?.ids);
    }
    const { evicted, cachedBytes } = await kept.totals();
    expect(evicted).toBeGreaterThan(before);
    expect(cachedBytes).toBeGreaterThan(0);
    expect(cachedBytes).toBeLessThanOrEqual(KV_TOKENS * KV_BYTES_PER_TOKEN);
  });

  it('given what was found, when metrics are read, then they say it under our names and under those of vLLM', async () => {
    const worker = metricsOf(kept.platform, 'worker-0');
    const found = await worker('hydra_worker_prefix_hit_tokens_total');
    const asked = await worker('hydra_worker_prefix_queried_tokens_total');
    expect(found).toBeGreaterThan(0);
    expect(asked).toBeGreaterThan(found);
    expect(await worker('vllm:prefix_cache_hits_total')).toBe(found);
    expect(await worker('vllm:prefix_cache_queries_total')).toBe(asked);
  });

  it('given a salt that is none, when asked, then the error names it', async () => {
    const response = await fetch(`${kept.platform.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tiny', prompt: 'x', cache_salt: '' }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param: 'cache_salt', type: 'invalid_request_error' } });
  });
});
