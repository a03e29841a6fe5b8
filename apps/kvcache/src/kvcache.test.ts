import { credentials, status } from '@grpc/grpc-js';
import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callUnary, clientChannelOptions } from '#lib/channels';
import { hydraSchema } from '#lib/config';
import { type KvBlock, KvBlocksClient, OperationsClient, type PutKvBlocksResponse } from '#lib/contracts';
import { fetchKvBlocks } from '#lib/kv-transfer';
import { createLogger } from '#lib/observability';
import { blocksOf, TEST_LAYOUT } from '../../../libs/kv-transfer/testing/kv-blocks.js';
import { type RunningKvcache, startKvcache } from './start-kvcache.js';

const PROMPT = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const CHAIN = blocksOf(PROMPT, 'tenant');
const TIMEOUT = { timeoutMs: 5_000 };

let kvcache: RunningKvcache;
let client: KvBlocksClient;

async function start(settings: object = {}): Promise<void> {
  register.clear(); // one process, one registry, many caches
  const config = hydraSchema.parse({ kvcache: { grpcPort: 0, httpPort: 0, memoryBytes: 1_048_576, ...settings } });
  kvcache = await startKvcache(config, createLogger('kvcache', { level: 'silent', format: 'json' }));
  const target = `127.0.0.1:${kvcache.grpcPort}`;
  client = new KvBlocksClient(target, credentials.createInsecure(), clientChannelOptions());
}

beforeEach(() => start());
afterEach(async () => {
  client.close();
  await kvcache.close();
});

function put(blocks: readonly KvBlock[]): Promise<PutKvBlocksResponse> {
  return new Promise((resolve, reject) => {
    const call = client.put((error, answer) => (error === null ? resolve(answer) : reject(error)));
    for (const block of blocks) call.write(block);
    call.end();
  });
}

async function get(blocks: readonly KvBlock[]): Promise<KvBlock[]> {
  const asked = { layout: TEST_LAYOUT, blockHashes: blocks.map(({ blockHash }) => blockHash) };
  const received: KvBlock[] = [];
  for await (const block of client.get(asked) as AsyncIterable<KvBlock>) received.push(block);
  return received;
}

const page = async (path: string) => (await fetch(`http://127.0.0.1:${kvcache.httpPort}${path}`)).text();
const readMetric = async (name: string) =>
  Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(await page('/metrics'))?.[1]);

describe('a cache of KV blocks', () => {
  it('given a chain that a worker gave it, when another asks, then it has the same blocks, and both are counted', async () => {
    expect(await put(CHAIN)).toEqual({ storedBlocks: 5, refusedBlocks: 0 });
    expect(await get(CHAIN)).toEqual(CHAIN);
    expect(await readMetric('hydra_kvcache_stored_blocks_total')).toBe(5);
    expect(await readMetric('hydra_kvcache_found_blocks_total{tier="memory"}')).toBe(5);
    expect(await readMetric('hydra_kvcache_served_bytes_total')).toBe(5 * 24);
    expect(await page('/health/ready')).toContain('5 blocks');
  });

  it('given the blocks of one tenant, when another asks for the same tokens, then there are none', async () => {
    await put(CHAIN);
    expect(await get(blocksOf(PROMPT, 'another'))).toEqual([]);
    expect(await get(blocksOf(PROMPT))).toEqual([]);
  });

  it.each<[string, Partial<KvBlock>]>([
    ['checksum', { data: Buffer.alloc(24, 1) }],
    ['tokens', { tokenIds: [1, 2] }],
    ['tokens', { tokenIds: [1] }],
    ['hash', { blockHash: Buffer.alloc(3) }],
    ['tokens', { blockHash: CHAIN[3]!.blockHash }],
    ['layout', { layout: undefined }],
    ['layout', { data: Buffer.alloc(0) }],
  ])(
    'given a block with a wrong %s (%o), when offered, then it and those behind it are refused',
    async (reason, wrong) => {
      const [first, second, third, ...rest] = CHAIN as [KvBlock, KvBlock, KvBlock];
      const answer = await put([first, second, { ...third, ...wrong }, ...rest]);
      expect(answer.storedBlocks + answer.refusedBlocks).toBe(5);
      expect(await readMetric(`hydra_kvcache_refused_blocks_total{reason="${reason}"}`)).toBe(1);
      expect(await get(CHAIN)).toEqual([first, second]);
    },
  );

  it('given more blocks than memory, when given, then it keeps within its bound', async () => {
    for (let n = 0; n < 60; n++) await put(blocksOf(PROMPT.map((id) => id + 10 * n)));
    expect(await readMetric('hydra_kvcache_memory_blocks')).toBe(64); // pages of 16 KiB in one MiB
    expect(await readMetric('hydra_kvcache_memory_used_bytes')).toBeLessThanOrEqual(1_048_576);
    expect(await readMetric('hydra_kvcache_memory_evicted_blocks_total')).toBe(300 - 64);
  });

  it('given more transfers than may be, when one asks, then it is refused at once', async () => {
    client.close();
    await kvcache.close();
    await start({ transfers: 1 });
    const open = client.put(() => {});
    open.write(CHAIN[0]!);
    while ((await readMetric('hydra_kvcache_stored_blocks_total')) !== 1);
    await expect(get(CHAIN)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    open.end();
  });

  it('given blocks that were fetched for a request, when its story is asked for, then the cache tells its part, in the trace', async () => {
    await put(CHAIN.slice(0, 3));
    const origin = {
      trace: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`, tracestate: '' },
      ...{ requestId: 'request-1', tenantId: 'acme', generationId: 'c'.repeat(32) },
    };
    const blockHashes = CHAIN.map(({ blockHash }) => blockHash);
    const wanted = { layout: TEST_LAYOUT, blockBytes: 24, blockHashes, tokenIds: PROMPT, firstBlock: 0 };
    let fetched = 0;
    for await (const _ of fetchKvBlocks(client, wanted, new AbortController().signal, origin)) fetched++;
    expect(fetched).toBe(3);
    const operations = new OperationsClient(`127.0.0.1:${kvcache.grpcPort}`, credentials.createInsecure());
    const find = (tenantId: string) =>
      callUnary(operations.findRecords.bind(operations), { id: 'request-1', tenantId }, TIMEOUT);
    const { records } = await find('acme');
    expect(JSON.stringify(records)).toContain('kv get');
    expect(records).toMatchObject([{ app: 'kvcache', requestId: 'request-1', traceId: 'a'.repeat(32) }]);
    expect((await find('another')).records).toEqual([]);
    operations.close();
  });

  it('given its level of logs, when an operator changes it, then it says what it was', async () => {
    const operations = new OperationsClient(`127.0.0.1:${kvcache.grpcPort}`, credentials.createInsecure());
    const change = await callUnary(operations.setLogLevel.bind(operations), { level: 'debug', forMs: 0 }, TIMEOUT);
    expect(change).toEqual({ app: 'kvcache', level: 'debug', before: 'silent' });
    operations.close();
  });
});
