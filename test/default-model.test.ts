import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from './support/platform.js';

/** The first run downloads the model into the user's storage folder, as `make run` does; later runs find it there. */
describe('the platform as `make run` starts it, with SmolLM2', () => {
  let platform: RunningPlatform;
  let client: OpenAI;
  beforeAll(async () => {
    platform = await startPlatform();
    client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => platform?.stop());

  const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }];

  it('given a question, when asked greedily, then the answer is true and ends by itself', async () => {
    const answer = await client.chat.completions.create({ model: 'default', messages, temperature: 0 });
    expect(answer.choices[0]?.message.content).toBe('The capital of France is Paris.');
    expect(answer.choices[0]?.finish_reason).toBe('stop');
  });

  it('given a seed and a temperature, when asked twice, then the answers agree; another seed gives another', async () => {
    const ask = async (seed: number) => {
      const body = { model: 'default', messages, temperature: 1.2, top_p: 0.95, seed, max_tokens: 32 };
      return (await client.chat.completions.create(body)).choices[0]?.message.content;
    };
    const first = await ask(1);
    expect(await ask(1)).toBe(first);
    const others = [await ask(2), await ask(3), await ask(4)];
    expect(others.some((text) => text !== first)).toBe(true);
  });

  it('given a stop string, when it would appear, then the text ends before it', async () => {
    const body = { model: 'default', messages, temperature: 0, stop: [' is Par'] };
    const answer = await client.chat.completions.create(body);
    expect(answer.choices[0]?.message.content).toBe('The capital of France');
    expect(answer.choices[0]?.finish_reason).toBe('stop');
  });
});
