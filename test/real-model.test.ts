import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from './support/platform.js';

interface Golden {
  readonly cases: readonly {
    readonly prompt: readonly number[];
    readonly greedy: readonly number[];
    readonly top: readonly (readonly [number, number])[];
    readonly logsumexp: number;
  }[];
}

describe.each(['llama', 'llama-rope3'])('the platform with the tiny model %s in real processes', (name) => {
  const folder = fileURLToPath(new URL(`data/models/${name}`, import.meta.url));
  const golden = JSON.parse(readFileSync(`${folder}/golden.json`, 'utf8')) as Golden;
  let platform: RunningPlatform;
  beforeAll(async () => {
    platform = await startPlatform({ env: { HYDRA_MODEL: folder } });
  });
  afterAll(() => platform?.stop());

  async function greedy(prompt: readonly number[]): Promise<number[]> {
    const response = await fetch(`${platform.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: name,
        prompt,
        max_tokens: 24,
        temperature: 0,
        ignore_eos: true,
        return_token_ids: true,
      }),
    });
    const answer = (await response.json()) as { choices: { token_ids: number[] }[] };
    expect(response.status, JSON.stringify(answer)).toBe(200);
    return answer.choices[0]?.token_ids ?? [];
  }

  it('given prompts of 1 to 130 token ids, when completed greedily, then the ids are those of the reference', async () => {
    for (const { prompt, greedy: expected } of golden.cases) expect(await greedy(prompt)).toEqual(expected);
  });

  it('given the same prompts at once, when completed, then each has the ids it has alone', async () => {
    const answers = await Promise.all(golden.cases.map(({ prompt }) => greedy(prompt)));
    expect(answers).toEqual(golden.cases.map((one) => one.greedy));
  });

  it('given text, when chatted with through the openai client, then pieces and whole agree', async () => {
    const client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const body = {
      model: name,
      messages: [{ role: 'user' as const, content: 'café 東京' }],
      max_tokens: 40,
      temperature: 0,
    };
    const whole = await client.chat.completions.create(body);
    let text = '';
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toBe(whole.choices[0]?.message.content);
  });

  it('given the golden prompts, when the openai client asks for log-probabilities, then they are the reference within 1e-3', async () => {
    const client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
    for (const { prompt, top, logsumexp } of golden.cases) {
      const body = { model: name, prompt: [...prompt], max_tokens: 2, n: 2, temperature: 0, logprobs: 5, echo: true };
      const { choices } = await client.completions.create({ ...body, stream: false });
      expect(choices).toHaveLength(2);
      for (const { logprobs } of choices) {
        expect(logprobs?.tokens).toHaveLength(prompt.length + 2);
        expect(logprobs?.token_logprobs?.[0]).toBeNull();
        const [, logit] = top[0]!;
        expect(Math.abs((logprobs?.token_logprobs?.[prompt.length] ?? Number.NaN) - (logit - logsumexp))).toBeLessThan(
          1e-3,
        );
      }
      const tokens: string[] = [];
      const texts = ['', ''];
      for await (const chunk of await client.completions.create({ ...body, stream: true })) {
        for (const { index, text, logprobs } of chunk.choices) {
          texts[index] += text;
          if (index === 0) tokens.push(...(logprobs?.tokens ?? []));
        }
      }
      expect(texts).toEqual(choices.map(({ text }) => text));
      expect(tokens).toEqual(choices[0]?.logprobs?.tokens);
    }
  });

  it('given a prompt over the context, when sent, then it is refused by name', async () => {
    const client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const prompt = Array<number>(600).fill(7);
    await expect(client.completions.create({ model: name, prompt })).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    });
  });
});
