import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const folder = fileURLToPath(new URL('data/models/bert', import.meta.url));
const goldens = JSON.parse(readFileSync(`${folder}/golden.json`, 'utf8')) as {
  text: string;
  ids: number[];
  vector: number[];
}[];
const texts = goldens.map(({ text }) => text);

function expectGoldens(vectors: readonly (readonly number[])[]): void {
  expect(vectors).toHaveLength(goldens.length);
  for (const [index, { vector }] of goldens.entries()) {
    for (const [at, value] of vector.entries()) expect(Math.abs(vectors[index]![at]! - value)).toBeLessThan(1e-4);
  }
}

describe('the platform with an encoder', () => {
  let platform: RunningPlatform;
  let client: OpenAI;
  beforeAll(async () => {
    const yaml = `models:\n  - id: bert\n    source: ${JSON.stringify(folder)}\n`;
    platform = await startPlatform({ yaml });
    client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => platform?.stop());

  const embed = (input: unknown, rest: object = {}) =>
    client.embeddings.create({ model: 'bert', input: input as string[], ...rest });

  it('given texts, when embedded as base64 (the client default) or float, then they are those of transformers', async () => {
    const answer = await embed(texts);
    expectGoldens(answer.data.map(({ embedding }) => embedding));
    const tokens = goldens.reduce((sum, { ids }) => sum + ids.length, 0);
    expect(answer.usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens });
    expectGoldens((await embed(texts, { encoding_format: 'float' })).data.map(({ embedding }) => embedding));
  });

  it('given token ids, or one text per call at once, when embedded, then the vectors are the same', async () => {
    expectGoldens((await embed(goldens.map(({ ids }) => ids))).data.map(({ embedding }) => embedding));
    const alone = await Promise.all(texts.map((text) => embed(text)));
    expectGoldens(alone.map(({ data }) => data[0]!.embedding));
    expect((await embed(goldens[0]!.ids)).data).toHaveLength(1);
  });

  it.each([
    ['an empty list', [], {}, 'input'],
    ['an empty text among others', ['x', ''], {}, 'input[1]'],
    ['an input over the context', ['x', 'x '.repeat(400)], {}, 'input[1]'],
    ['an id outside the vocabulary', [[1, 5_000]], {}, 'input[0][1]'],
    ['dimensions', 'x', { dimensions: 8 }, 'dimensions'],
  ])('given %s, then 400 names it', async (_name, input, rest, param) => {
    await expect(embed(input, rest)).rejects.toMatchObject({ status: 400, param });
  });

  it('given the list of models, then it says what this one is for', async () => {
    expect(await client.models.retrieve('bert')).toMatchObject({ capabilities: ['embedding'] });
  });

  it('given a completion, then 400 says that the model cannot generate', async () => {
    const asked = client.completions.create({ model: 'bert', prompt: 'x' });
    await expect(asked).rejects.toMatchObject({
      status: 400,
      param: 'model',
      message: expect.stringContaining('cannot generate text'),
    });
  });
});
