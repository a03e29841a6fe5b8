import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fleetMembers } from './support/fleet.js';
import { hydra } from './support/hydra.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

interface Completion {
  readonly choices: { readonly token_ids: number[]; readonly logprobs: { readonly token_logprobs: number[] } }[];
}

const FOLDER = fileURLToPath(new URL('data/models/llama-rope3', import.meta.url));
/** 24 pages of 4 KiB for keys and values of 2 heads in 3 layers: 768 positions, half of what all requests come to have. */
const KV_BYTES = 24 * 3 * 2 * 2 * 4096;

/** From greedy to hot, with prompts of 1 to 70 ids, odd and even. */
const REQUESTS = Array.from({ length: 8 }, (_, index) => ({
  model: 'rope',
  prompt: Array.from({ length: 1 + index * 10 - (index % 3 === 0 ? 0 : 1) }, (_, at) => (at * 31 + index * 7) % 500),
  max_tokens: 140,
  temperature: [0, 0.8, 1.5][index % 3],
  n: index === 4 ? 2 : 1,
  seed: index,
  logprobs: 0,
  ignore_eos: true,
  return_token_ids: true,
}));

let platform: RunningPlatform;
beforeAll(async () => {
  platform = await startPlatform({
    yaml: `models: [{ id: rope, source: ${FOLDER}, numerics: exact, kvBytes: ${KV_BYTES} }]`,
  });
});
afterAll(() => platform?.stop());

async function complete(body: object): Promise<Completion['choices']> {
  const response = await fetch(`${platform.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Completion;
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer.choices;
}

it('given requests over REST, when they run at once and share little memory, then tokens and log-probabilities are those of one after the other', async () => {
  const alone = [];
  for (const request of REQUESTS) alone.push(await complete(request));
  const together = await Promise.all(REQUESTS.map(complete));
  expect(together).toEqual(alone);
});

it('given exact numerics, then the worker registers them, with fp32 weights', async () => {
  const [member] = await fleetMembers(platform.schedulerTarget);
  expect(member?.registration?.models).toMatchObject([{ modelId: 'rope', numerics: 'exact', weights: 'fp32' }]);
});

it('given exact numerics with smaller weights, when started, then one sentence says why not', async () => {
  const { code, stderr } = await hydra(['up'], {
    HYDRA_MODEL: FOLDER,
    HYDRA_NUMERICS: 'exact',
    HYDRA_WEIGHTS: 'int4',
  });
  expect(code).not.toBe(0);
  expect(stderr).toBe('hydra: HYDRA_NUMERICS: `exact` computes with weights `fp32` alone, and models[0] has `int4`\n');
});
