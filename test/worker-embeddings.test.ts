import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callUnary } from '#lib/channels';
import { EmbedRequest, FailureCode } from '#lib/contracts';
import { compileModel } from '#lib/engine-onnx';
import { ModelStore } from '#lib/models';
import { requestOf } from '../libs/engine/testing/requests.js';
import { poisonToken } from '../libs/engine-onnx/src/testing/poison-token.js';
import { TestSession } from './support/test-session.js';
import { WorkerProcess } from './support/worker-process.js';

const MODEL = fileURLToPath(new URL('data/models/bert', import.meta.url));
const goldens = JSON.parse(readFileSync(join(MODEL, 'golden.json'), 'utf8')) as { ids: number[]; vector: number[] }[];
const DIMENSIONS = 64;
/** Stands in no golden; its embedding is not finite, and so is the vector of any input with it. */
const POISON = 30;

const home = mkdtempSync(join(tmpdir(), 'hydra-home-'));
let worker: WorkerProcess;
let session: TestSession;
let calls = 0;

beforeAll(async () => {
  const store = new ModelStore({ folder: home, hubEndpoint: 'http://127.0.0.1:1' });
  const source = await store.pullModel(MODEL);
  const compiled = await compileModel({ source, weights: 'auto', storeFolder: store.compiled.folder });
  poisonToken(MODEL, compiled.folder, POISON);
  worker = new WorkerProcess({ HYDRA_ENGINE: 'onnx', HYDRA_MODEL: MODEL, HYDRA_HOME: home, HYDRA_THREADS: '1' });
  session = await TestSession.open((await worker.ready()).grpcPort);
});
afterAll(async () => {
  session?.close();
  await worker?.stop();
  rmSync(home, { recursive: true });
});

function embed(inputs: readonly (readonly number[])[], rest: Partial<EmbedRequest> = {}, signal?: AbortSignal) {
  const { client } = session;
  const request = EmbedRequest.fromPartial({
    ...{ embeddingId: `embedding-${calls++}`, modelId: 'bert', workerEpoch: session.welcome!.workerEpoch },
    inputs: inputs.map((tokenIds) => ({ tokenIds: [...tokenIds] })),
    ...rest,
  });
  return callUnary(client.embed.bind(client), request, { timeoutMs: 60_000, signal });
}

async function vectorsOf(inputs: readonly (readonly number[])[]): Promise<number[]> {
  const { outcome } = await embed(inputs);
  if (outcome?.$case !== 'embedded') throw new Error(JSON.stringify(outcome));
  expect(outcome.value.usage).toMatchObject({ promptTokens: inputs.flat().length, completionTokens: 0 });
  expect(outcome.value.dimensions).toBe(DIMENSIONS);
  const { vectors } = outcome.value;
  return Array.from({ length: vectors.length / 4 }, (_, index) => vectors.readFloatLE(index * 4));
}

function expectGolden(vectors: readonly number[], expected: readonly { readonly vector: readonly number[] }[]): void {
  const reference = expected.flatMap(({ vector }) => vector);
  expect(vectors).toHaveLength(reference.length);
  for (const [index, value] of reference.entries()) expect(Math.abs(vectors[index]! - value)).toBeLessThan(1e-5);
}

describe('a worker with an encoder', () => {
  it('given many calls at once, when embedded, then each has its own vectors in its own order', async () => {
    const wishes = Array.from({ length: 40 }, (_, call) =>
      goldens.map((_golden, at) => goldens[(at + call) % goldens.length]!),
    );
    const answers = await Promise.all(wishes.map((wish) => vectorsOf(wish.map(({ ids }) => ids))));
    for (const [index, vectors] of answers.entries()) expectGolden(vectors, wishes[index]!);
  });

  it('given an input whose numbers overflow, when it meets others, then only its own call fails', async () => {
    const ids = goldens[0]!.ids;
    const poisoned = [...ids.slice(0, -1), POISON];
    const [bad, ...good] = await Promise.all([embed([ids, poisoned]), vectorsOf([ids]), vectorsOf([ids, ids])]);
    expect(bad.outcome).toMatchObject({
      $case: 'failed',
      value: { code: FailureCode.ENGINE_ERROR, message: 'The encoder gave a vector that is not finite for input 1.' },
    });
    expectGolden(good[0], [goldens[0]!]);
    expectGolden(good[1], [goldens[0]!, goldens[0]!]);
  });

  it.each([
    ['another epoch', { workerEpoch: 1 }, FailureCode.STALE_EPOCH, ''],
    ['a deadline that has passed', { deadlineUnixMs: 1 }, FailureCode.DEADLINE_EXCEEDED, ''],
    ['another model', { modelId: 'other' }, FailureCode.UNKNOWN_MODEL, 'model'],
    ['no input', { inputs: [] }, FailureCode.INVALID_REQUEST, 'input'],
    ['an empty input', { inputs: [{ tokenIds: [] }] }, FailureCode.INVALID_REQUEST, 'input[0]'],
    ['an id outside', { inputs: [{ tokenIds: [1] }, { tokenIds: [126] }] }, FailureCode.INVALID_REQUEST, 'input[1]'],
    ['too many tokens', { inputs: [{ tokenIds: Array(257).fill(1) }] }, FailureCode.INVALID_REQUEST, 'input[0]'],
  ] as const)('given %s, when asked, then the refusal says so', async (_name, rest, code, parameter) => {
    const { outcome } = await embed([[1, 2]], rest as Partial<EmbedRequest>); // readonly lists
    expect(outcome).toMatchObject({ $case: 'failed', value: { code, parameter } });
  });

  it('given a generation, when submitted, then it is refused by name', async () => {
    const { workerEpoch } = session.welcome!;
    const id = session.submit(requestOf({ modelId: 'bert', workerEpoch, promptTokenIds: [1, 2] }));
    await session.end(id);
    expect(session.failed(id)).toMatchObject({
      ...{ code: FailureCode.INVALID_REQUEST, parameter: 'model' },
      message: 'The model bert makes embeddings and cannot generate text.',
    });
  });

  it('given a gateway that cancels, when the worker is asked again, then it answers', async () => {
    const abort = new AbortController();
    const large = Array.from({ length: 2_048 }, () => Array<number>(200).fill(7));
    const cancelled = embed(large, {}, abort.signal);
    expectGolden(await vectorsOf([goldens[1]!.ids]), [goldens[1]!]); // takes its turn beside the large one
    abort.abort(new Error('gone'));
    await expect(cancelled).rejects.toThrow('gone');
    expectGolden(await vectorsOf([goldens[2]!.ids]), [goldens[2]!]);
  });
});
