import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OnnxModelRunner } from '#lib/engine-onnx';
import { bestOf, naiveLogprobs } from '../libs/engine/testing/naive-logprobs.js';
import { loadModel } from './support/exactness/loaded-model.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';
import { referenceTokens } from './support/reference-tokens.js';

/** What both routes give, as far as it is looked at here. */
interface Choice {
  readonly text?: string;
  readonly message?: { readonly content: string };
  readonly finish_reason: string;
  readonly token_ids: number[];
  readonly logprobs: {
    readonly token_logprobs?: (number | null)[];
    readonly content?: { readonly logprob: number; readonly top_logprobs: { readonly logprob: number }[] }[];
  } | null;
  readonly prompt_token_ids?: number[];
  readonly prompt_logprobs?: (Record<string, { readonly logprob: number }> | null)[];
}

const PROMPT = [5, 77, 130, 401, 12, 99];
const MESSAGES = [{ role: 'user', content: 'abc déf' }];
const EOS_ID = 1;
const LAST_ID = 511;

/** One of each, then together. */
const SAMPLING: Record<string, number | Record<string, number>>[] = [
  { temperature: 0 },
  { temperature: 1 },
  { temperature: 2 },
  { temperature: 1.5, top_p: 0.7 },
  { temperature: 2, top_k: 3 },
  { temperature: 2, min_p: 0.2 },
  { temperature: 0, repetition_penalty: 1.8 },
  { temperature: 0, presence_penalty: 2 },
  { temperature: 0, frequency_penalty: 2 },
  { temperature: 1, logit_bias: { [LAST_ID]: 9, 0: -100 } },
  { temperature: 1, seed: -3 },
  {
    temperature: 1.3,
    top_p: 0.95,
    top_k: 50,
    min_p: 0.01,
    repetition_penalty: 1.1,
    presence_penalty: 0.5,
    frequency_penalty: 0.3,
    logit_bias: { 7: 2 },
    seed: 2 ** 40 + 17,
  },
];

let platform: RunningPlatform;
let runner: OnnxModelRunner;
beforeAll(async () => {
  const folder = fileURLToPath(new URL('data/models/llama', import.meta.url));
  platform = await startPlatform({ env: { HYDRA_MODEL: folder, HYDRA_NUMERICS: 'exact', HYDRA_KV_BYTES: '16000000' } });
  runner = await (await loadModel('llama', 'fp32')).runner({ numerics: 'exact', threads: 1, kvBytes: 16_000_000 });
});
afterAll(async () => {
  await runner?.close();
  await platform?.stop();
});

async function ask(route: 'completions' | 'chat/completions', parameters: object): Promise<Choice[]> {
  const input = route === 'completions' ? { prompt: PROMPT } : { messages: MESSAGES };
  const response = await fetch(`${platform.url}/v1/${route}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'default',
      max_tokens: 8,
      seed: 11,
      return_token_ids: true,
      ...input,
      ...parameters,
    }),
  });
  const answer = (await response.json()) as { choices: Choice[] } & Pick<
    Choice,
    'prompt_token_ids' | 'prompt_logprobs'
  >;
  expect(response.status, JSON.stringify(answer)).toBe(200);
  const { prompt_token_ids, prompt_logprobs } = answer; // of chat, which has one prompt
  return answer.choices.map((choice) => ({ prompt_token_ids, prompt_logprobs, ...choice }));
}

const textOf = ({ text, message }: Choice) => text ?? message?.content ?? '';

describe.each(['completions', 'chat/completions'] as const)('sampling over /v1/%s', (route) => {
  it.each(SAMPLING)('given %j, then the tokens of each choice are those of the definition', async (sampling) => {
    const choices = await ask(route, { ...sampling, n: 2, ignore_eos: true });
    expect(choices).toHaveLength(2);
    for (const [index, { token_ids, prompt_token_ids }] of choices.entries()) {
      const promptTokenIds = prompt_token_ids ?? [];
      if (route === 'completions') expect(promptTokenIds).toEqual(PROMPT);
      expect(token_ids).toEqual(await referenceTokens(runner, promptTokenIds, { seed: 11, ...sampling }, index, 8));
    }
  });

  it('given a stop string over the border of two tokens, then the text ends before it', async () => {
    const [whole] = await ask(route, { temperature: 0, ignore_eos: true, max_tokens: 12 });
    const text = textOf(whole!);
    const stop = text.slice(3, 6);
    const [stopped] = await ask(route, { temperature: 0, ignore_eos: true, max_tokens: 12, stop: ['never so', stop] });
    expect(textOf(stopped!)).toBe(text.slice(0, text.indexOf(stop)));
    expect(stopped).toMatchObject({ finish_reason: 'stop' });
  });

  it('given stop token ids and min_tokens, then the choice ends with the id, but not before', async () => {
    const force = { temperature: 0, ignore_eos: true, logit_bias: { 40: 100 }, stop_token_ids: [40] };
    const [early] = await ask(route, force);
    expect(early).toMatchObject({ finish_reason: 'stop', token_ids: [40] });
    const [late] = await ask(route, { ...force, min_tokens: 3 });
    expect(late?.token_ids).toHaveLength(4);
    expect(late?.token_ids.indexOf(40)).toBe(3);
  });

  it('given an end of sequence, then it ends the choice, unless it is to be ignored', async () => {
    const force = { temperature: 0, logit_bias: { [EOS_ID]: 100 } };
    expect(await ask(route, force)).toMatchObject([{ finish_reason: 'stop', token_ids: [EOS_ID] }]);
    const ignored = await ask(route, { ...force, ignore_eos: true });
    expect(ignored).toMatchObject([{ finish_reason: 'length', token_ids: Array<number>(8).fill(EOS_ID) }]);
  });

  it('given log-probabilities, then they are those of the full softmax, before penalties and temperature', async () => {
    const asked = route === 'completions' ? { logprobs: 3 } : { logprobs: true, top_logprobs: 3 };
    const [choice] = await ask(route, { temperature: 1.7, frequency_penalty: 1, max_tokens: 1, ...asked });
    const naive = await logprobsAfter(choice!.prompt_token_ids!);
    const { token_logprobs, content } = choice!.logprobs!;
    const told = token_logprobs?.[0] ?? content?.[0]?.logprob;
    expect(told).toBeCloseTo(naive[choice!.token_ids[0]!]!, 5);
    if (content === undefined) return;
    for (const [rank, id] of bestOf(naive, 3).entries()) {
      expect(content[0]?.top_logprobs[rank]?.logprob).toBeCloseTo(naive[id]!, 5);
    }
  });

  it('given prompt log-probabilities, then each is that of its prefix', async () => {
    const [choice] = await ask(route, { max_tokens: 1, prompt_logprobs: 2 });
    const ids = choice!.prompt_token_ids!;
    const told = choice!.prompt_logprobs!;
    expect(told).toHaveLength(ids.length);
    expect(told[0]).toBeNull();
    for (const at of [1, 2, ids.length - 1]) {
      const naive = await logprobsAfter(ids.slice(0, at));
      expect(told[at]![ids[at]!]?.logprob).toBeCloseTo(naive[ids[at]!]!, 4);
    }
  });
});

describe('what /v1/completions alone has', () => {
  it('given echo, then the prompt stands before the text, with its log-probabilities', async () => {
    const [plain] = await ask('completions', { temperature: 0 });
    const [echoed] = await ask('completions', { temperature: 0, echo: true, logprobs: 1 });
    expect(echoed?.text?.endsWith(plain?.text ?? 'none')).toBe(true);
    expect(echoed?.text?.length).toBeGreaterThan(plain?.text?.length ?? 0);
    expect(echoed?.logprobs?.token_logprobs).toHaveLength(PROMPT.length + 8);
    const naive = await logprobsAfter(PROMPT.slice(0, 3));
    expect(echoed?.logprobs?.token_logprobs?.[3]).toBeCloseTo(naive[PROMPT[3]!]!, 4);
  });

  it('given no seed, then two requests draw differently; given one, alike', async () => {
    const parameters = { temperature: 2, max_tokens: 16, ignore_eos: true };
    const [first, second] = await Promise.all([1, 2].map(() => ask('completions', { ...parameters, seed: null })));
    expect(first![0]?.token_ids).not.toEqual(second![0]?.token_ids);
    const [third, fourth] = await Promise.all([1, 2].map(() => ask('completions', parameters)));
    expect(third![0]?.token_ids).toEqual(fourth![0]?.token_ids);
  });
});

async function logprobsAfter(tokenIds: readonly number[]): Promise<number[]> {
  const logits = await runner.prefill({ slot: 0, position: 0, tokenIds, logitsFor: 'last' });
  return naiveLogprobs(logits!.data);
}
