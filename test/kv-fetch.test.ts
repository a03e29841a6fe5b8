import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callUnary, clientChannelOptions } from '#lib/channels';
import { type KvBlock, KvBlocksClient, type KvLayout, KvSourceKind, type Registration } from '#lib/contracts';
import { hashBlocks, prefixSeed } from '#lib/kv';
import { requestOf } from '../libs/engine/testing/requests.js';
import { metricSum } from './support/metrics.js';
import { TestFleet } from './support/test-fleet.js';
import { TestSession } from './support/test-session.js';
import { WorkerProcess } from './support/worker-process.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
const { cases } = JSON.parse(readFileSync(join(MODEL, 'golden.json'), 'utf8')) as { cases: { prompt: number[] }[] };
const pool = cases.flatMap(({ prompt }) => prompt);
const promptOf = (first: number, tokens: number) =>
  Array.from({ length: tokens }, (_, i) => pool[(first * 37 + i * 3) % pool.length]!);
const SALT = Buffer.from('tenant');

/** Worker processes as a scheduler and a gateway see them. */
class Workers {
  private constructor(
    readonly registration: Registration,
    readonly session: TestSession,
    readonly httpPort: number,
    readonly stop: () => Promise<void>,
  ) {}

  static async start(env: Readonly<Record<string, string>>): Promise<Workers> {
    const fleet = await new TestFleet().listen();
    const worker = new WorkerProcess({ ...env, HYDRA_SCHEDULER_TARGET: fleet.target });
    const { grpcPort, httpPort } = await worker.ready();
    await fleet.until(() => fleet.of('registration').length > 0);
    const session = await TestSession.open(grpcPort);
    const stop = async () => {
      session.close();
      await worker.stop();
      await fleet.kill();
    };
    return new Workers(fleet.of('registration')[0]!, session, httpPort, stop);
  }

  /** @param from  a worker whose blocks it may fetch */
  async complete(promptTokenIds: number[], from?: Workers, salt = SALT) {
    const { session, registration } = this;
    const sources = from === undefined ? [] : [from.sourceOf(promptTokenIds, salt)];
    const id = session.submit(
      requestOf({
        ...{ promptTokenIds, cacheSalt: salt, kvSources: sources, stop: { maxTokens: 12 } },
        ...{ modelId: registration.models[0]!.modelId, workerEpoch: registration.workerEpoch },
      }),
    );
    await session.end(id);
    return { tokenIds: session.tokenIds(id), cached: session.finished(id)?.usage?.cachedPromptTokens };
  }

  sourceOf(promptTokenIds: number[], salt: Buffer) {
    const { modelFingerprint, blockTokens } = this.registration.models[0]!;
    const seed = prefixSeed({ modelFingerprint, adapterVersion: '', salt });
    const blockHashes = hashBlocks(promptTokenIds, blockTokens, seed).map((hash) => Buffer.from(hash));
    return { target: this.registration.kvTarget, kind: KvSourceKind.WORKER, blockHashes };
  }

  async metric(name: string): Promise<number> {
    return metricSum(await (await fetch(`http://127.0.0.1:${this.httpPort}/metrics`)).text(), name);
  }
}

describe('blocks of another worker', () => {
  const home = mkdtempSync(join(tmpdir(), 'kv-fetch-'));
  const yaml = join(home, 'hydra.yaml');
  const env = { HYDRA_CONFIG: yaml, HYDRA_HOME: home, HYDRA_THREADS: '1', HYDRA_KV_BYTES: String(8 * 1024 * 1024) };
  let a: Workers;
  let b: Workers;

  beforeAll(async () => {
    writeFileSync(
      yaml,
      `models: [{ id: tiny, source: ${MODEL}, weights: fp32, numerics: exact, contextTokens: 320 }]\n`,
    );
    a = await Workers.start({ ...env, HYDRA_WORKER_ID: 'a' });
    b = await Workers.start({ ...env, HYDRA_WORKER_ID: 'b' });
  });
  afterAll(async () => {
    await Promise.all([a?.stop(), b?.stop()]);
    rmSync(home, { recursive: true });
  });

  it('given a prompt that A has computed, when B runs it, then B fetches it, says so, and gives the same tokens', async () => {
    const prompt = promptOf(1, 250);
    const cold = await a.complete(prompt);
    expect(cold.cached).toBe(0);
    const fetched = await b.complete(prompt, a);
    expect(fetched).toEqual({ tokenIds: cold.tokenIds, cached: 240 });
    expect(await b.metric('hydra_worker_kv_fetched_blocks_total')).toBe(15);
    expect(await a.metric('hydra_worker_kv_served_blocks_total')).toBe(15);
    expect(await b.metric('hydra_worker_kv_fetched_bytes_total')).toBe(240 * b.registration.models[0]!.kvBytesPerToken);
  });

  it('given another tenant with the same prompt, when B looks for it at A, then there is nothing', async () => {
    const prompt = promptOf(2, 100);
    const cold = await a.complete(prompt);
    const other = await b.complete(prompt, a, Buffer.from('another'));
    expect(other).toEqual({ tokenIds: cold.tokenIds, cached: 0 });
  });

  it('given a prompt that A has the beginning of, when B runs it, then it fetches that and computes the rest', async () => {
    await a.complete(promptOf(3, 100));
    const prompt = [...promptOf(3, 100), ...promptOf(4, 50)];
    const fetched = await b.complete(prompt, a);
    expect(fetched.cached).toBe(96);
    expect(fetched.tokenIds).toEqual((await a.complete(prompt, undefined, Buffer.from('alone'))).tokenIds);
  });

  it('given whoever asks with the right names, then blocks come with their checksums; of another layout there are none', async () => {
    const prompt = promptOf(1, 250);
    const { target, blockHashes } = a.sourceOf(prompt, SALT);
    const client = new KvBlocksClient(target, credentials.createInsecure(), clientChannelOptions());
    const layout = await layoutOf(a, blockHashes, client);
    const has = (asked: KvLayout) =>
      callUnary(client.has.bind(client), { layout: asked, blockHashes }, { timeoutMs: 5_000 });
    await expect(has(layout)).resolves.toEqual({ leadingBlocks: 15 });
    await expect(has({ ...layout, dtype: 'fp16' })).resolves.toEqual({ leadingBlocks: 0 });
    const blocks: KvBlock[] = [];
    for await (const block of client.get({ layout, blockHashes }) as AsyncIterable<KvBlock>) blocks.push(block);
    expect(blocks.flatMap(({ tokenIds }) => tokenIds)).toEqual(prompt.slice(0, 240));
    expect(new Set(blocks.map(({ data }) => data.length))).toEqual(
      new Set([16 * a.registration.models[0]!.kvBytesPerToken]),
    );
    const put = new Promise((_, reject) => client.put((error) => reject(error)).end());
    await expect(put).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
    client.close();
  });
});

/** The layout that a worker of the tiny model in exact numerics has: whoever knows less finds nothing. */
async function layoutOf({ registration }: Workers, blockHashes: Buffer[], client: KvBlocksClient): Promise<KvLayout> {
  const { cpus } = await import('node:os');
  const { version } = JSON.parse(readFileSync('node_modules/onnxruntime-node/package.json', 'utf8')) as {
    version: string;
  };
  const { modelFingerprint, blockTokens } = registration.models[0]!;
  const layout: KvLayout = {
    ...{ modelFingerprint, blockTokens, adapterVersion: '', dtype: 'fp32', axes: 'layer,kv,head,token,dim' },
    ...{ tensorParallelRank: 0, tensorParallelSize: 1, pipelineParallelRank: 0, pipelineParallelSize: 1 },
    kernels: `${process.arch} ${cpus()[0]?.model.trim()} ${version}`,
  };
  const without = { layout: { ...layout, kernels: '' }, blockHashes };
  await expect(callUnary(client.has.bind(client), without, { timeoutMs: 5_000 })).resolves.toEqual({
    leadingBlocks: 0,
  });
  return layout;
}
