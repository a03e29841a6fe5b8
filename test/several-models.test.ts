import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callUnary } from '#lib/channels';
import { publicApi } from '#lib/contracts';
import { eventually } from './support/eventually.js';
import { fleetMembers } from './support/fleet.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

interface Golden {
  readonly cases: readonly { readonly prompt: readonly number[]; readonly greedy: readonly number[] }[];
}

const folderOf = (name: string) => fileURLToPath(new URL(`data/models/${name}`, import.meta.url));
const goldenOf = (name: string) => JSON.parse(readFileSync(`${folderOf(name)}/golden.json`, 'utf8')) as Golden;

/** A copy of a model whose authors recommend something. @returns its folder */
function recommending(name: string, sampling: object): string {
  const folder = mkdtempSync(join(tmpdir(), `hydra-${name}-`));
  cpSync(folderOf(name), folder, { recursive: true });
  const file = join(folder, 'generation_config.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...sampling }));
  return folder;
}

/** The second is a base model: it does not chat. */
const TINY = recommending('llama', { top_k: 1 });
const ROPE = recommending('llama-rope3', { temperature: 2, top_k: 0 });
rmSync(join(ROPE, 'chat_template.jinja'));

/** Two workers that take turns for one model, one for the other: aliases of three kinds, `default` without being named. */
const YAML = `
models:
  - id: tiny
    source: ${TINY}
    strategy: round-robin
    workers: 2
  - id: org/rope
    source: ${ROPE}
    weights: fp32
    contextTokens: 256
    strategy: consistent-hash
    workers: 1
    sampling: { temperature: 0 }
aliases:
  mistralai/Mistral-7B-v0.1: org/rope
  gpt-4o: tiny
`;

const GREEDY = { temperature: 0 };

let platform: RunningPlatform;
let client: OpenAI;
beforeAll(async () => {
  platform = await startPlatform({ yaml: YAML, env: { HYDRA_LOG_LEVEL: 'debug' } });
  client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
  await eventually(async () => (await fleetMembers(platform.schedulerTarget)).length === 3 || undefined);
});
afterAll(() => platform?.stop());

async function idsOf(model: string, prompt: readonly number[], sampling: object = GREEDY): Promise<number[]> {
  const response = await fetch(`${platform.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt, max_tokens: 24, ...sampling, ignore_eos: true, return_token_ids: true }),
  });
  const answer = (await response.json()) as { choices: { token_ids: number[] }[] };
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer.choices[0]?.token_ids ?? [];
}

/** With nothing said about sampling. */
async function idsOverGrpc(model: string, prompt: readonly number[]): Promise<number[]> {
  const grpc = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
  const request = publicApi.CompletionRequest.fromPartial({
    model,
    prompts: [{ value: { $case: 'tokenIds', value: { ids: [...prompt] } } }],
    options: { maxTokens: 24, ignoreEos: true, returnTokenIds: true },
  });
  try {
    const { choices } = await callUnary(grpc.complete.bind(grpc), request, { timeoutMs: 60_000 });
    return choices[0]?.tokenIds ?? [];
  } finally {
    grpc.close();
  }
}

describe('a platform with two models', () => {
  it.each([
    ['its authors recommend', 'tiny', 'llama'],
    ['hydra.yaml says, whatever its authors recommend', 'org/rope', 'llama-rope3'],
  ])(
    'given a request without sampling, then it has what %s; what a request gives goes first',
    async (_who, model, folder) => {
      const [{ prompt, greedy }] = goldenOf(folder).cases as [Golden['cases'][0]];
      expect(await idsOf(model, prompt, {})).toEqual(greedy);
      expect(await idsOverGrpc(model, prompt)).toEqual(greedy);
      const hot = { temperature: 2, top_k: 0 };
      const own = await Promise.all([1, 2, 3].map((seed) => idsOf(model, prompt, { ...hot, seed })));
      expect(own).not.toContainEqual(greedy);
    },
  );

  it.each([
    ['tiny', 'llama'],
    ['default', 'llama'],
    ['gpt-4o', 'llama'],
    ['org/rope', 'llama-rope3'],
    ['mistralai/Mistral-7B-v0.1', 'llama-rope3'],
  ])('given the name %s, when completed, then %s answers', async (name, folder) => {
    for (const { prompt, greedy } of goldenOf(folder).cases.slice(0, 2)) {
      expect(await idsOf(name, prompt)).toEqual(greedy);
    }
  });

  it('given both at once, when completed, then each answers as alone', async () => {
    const wishes = ['llama', 'llama-rope3'].flatMap((folder) =>
      goldenOf(folder).cases.map(({ prompt, greedy }) => ({ folder, prompt, greedy })),
    );
    const answers = await Promise.all(
      wishes.map(({ folder, prompt }) => idsOf(folder === 'llama' ? 'tiny' : 'org/rope', prompt)),
    );
    expect(answers).toEqual(wishes.map(({ greedy }) => greedy));
  });

  it('given the list of models, when read, then models and aliases stand there with what each can do', async () => {
    const { data } = await client.models.list();
    expect(data).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id: 'tiny', max_model_len: 512, capabilities: ['completion', 'chat'] }),
        expect.objectContaining({ id: 'org/rope', max_model_len: 256, capabilities: ['completion'] }),
        expect.objectContaining({ id: 'mistralai/Mistral-7B-v0.1', root: 'org/rope', max_model_len: 256 }),
      ]),
    );
    expect((await client.models.retrieve('org/rope')).id).toBe('org/rope');
  });

  it('given a model without a chat template, when it is to chat, then 400 says why not', async () => {
    const asked = client.chat.completions.create({ model: 'org/rope', messages: [{ role: 'user', content: 'x' }] });
    await expect(asked).rejects.toMatchObject({ status: 400, message: expect.stringContaining('chat template') });
  });

  it('given a name that nobody has, when asked, then it is not found', async () => {
    await expect(client.completions.create({ model: 'none', prompt: 'x' })).rejects.toMatchObject({ status: 404 });
  });

  it('given a strategy for each model, when requests are placed, then its own decides, on its own workers', async () => {
    const [first] = goldenOf('llama').cases;
    for (let i = 0; i < 4; i++) await idsOf('tiny', first?.prompt ?? []);
    const placed = await eventually(() => {
      const lines = platform.lines.filter((line) => line.includes('"message":"request placed"'));
      return lines.length >= 4 ? lines.map((line) => JSON.parse(line.slice(line.indexOf('{')))) : undefined;
    });
    const of = (model: string) => placed.filter((line) => line.model === model);
    expect(new Set(of('tiny').map((line) => line.strategy))).toEqual(new Set(['round-robin']));
    expect(new Set(of('tiny').map((line) => line.worker))).toEqual(new Set(['worker-0', 'worker-1']));
    expect(new Set(of('org/rope').map((line) => line.strategy))).toEqual(new Set(['consistent-hash']));
    expect(new Set(of('org/rope').map((line) => line.worker))).toEqual(new Set(['worker-2']));
  });
});
