import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callUnary, clientChannelOptions, openChannelSecurity } from '#lib/channels';
import { loadConfig } from '#lib/config';
import { FleetClient, KvBlocksClient } from '#lib/contracts';
import { createLogger } from '#lib/observability';
import { metricsOf } from './support/app-metrics.js';
import { pidOf } from './support/app-pid.js';
import { portOf } from './support/app-port.js';
import { eventually } from './support/eventually.js';
import { explainedCompletion } from './support/explained-completion.js';
import { hydra } from './support/hydra.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
/** No two begin alike. */
const promptOf = (first: number) =>
  Array.from({ length: 450 }, (_, index) => 10 + ((Math.imul(first * 450 + index + 1, 2_654_435_761) >>> 8) % 200));
/** Blocks of 16 tokens before the last token. */
const BLOCKS = 28;

const YAML = `models: [{ id: tiny, source: ${MODEL}, weights: fp32, numerics: exact, contextTokens: 512, strategy: round-robin }]\n`;

describe.each(['off', 'on'])('two workers and two caches of KV blocks, with tls: %s', (tls) => {
  const home = mkdtempSync(join(tmpdir(), 'hydra-kvcache-'));
  const env = {
    ...{ HYDRA_WORKERS: '2', HYDRA_THREADS: '1', HYDRA_KV_BYTES: String(16 * 1024 * 1024) },
    ...{ HYDRA_KVCACHE_FETCH: 'always', HYDRA_TLS: tls, HYDRA_CERTIFICATES: join(home, 'certificates') },
    HYDRA_HOME: home,
  };
  let platform: RunningPlatform;
  beforeAll(async () => {
    platform = await startPlatform({ yaml: YAML, env, args: ['--kvcache', '2'] });
  });
  afterAll(() => platform?.stop());

  async function complete(prompt: readonly number[]) {
    const { placement, ...answer } = await explainedCompletion(platform, prompt);
    return { ...answer, worker: placement.chosen };
  }

  const pushedBlocks = (worker: string) =>
    metricsOf(platform, worker)('hydra_worker_kv_pushed_blocks_total', { outcome: 'stored' });

  /** Computes it, and waits until the caches have it. */
  async function computed(prompt: readonly number[]) {
    const before = { 'worker-0': await pushedBlocks('worker-0'), 'worker-1': await pushedBlocks('worker-1') };
    const cold = await complete(prompt);
    expect(cold.cached).toBe(0);
    const worker = cold.worker as keyof typeof before;
    await eventually(async () => (await pushedBlocks(worker)) >= before[worker] + BLOCKS || undefined);
    return cold;
  }

  it('given prompts that one worker computed, when the other has them, then their blocks come from the caches, and the answers are the same', async () => {
    for (let n = 0; n < 6; n++) {
      const cold = await computed(promptOf(n));
      const warm = await complete(promptOf(n)); // round robin
      expect(warm.worker).not.toBe(cold.worker);
      expect(warm).toMatchObject({ tokenIds: cold.tokenIds, cached: 16 * BLOCKS });
      await complete([1, 2, 3]); // the next one begins at the other worker
    }
    const held = await Promise.all(
      ['kvcache-0', 'kvcache-1'].map((name) => metricsOf(platform, name)('hydra_kvcache_memory_blocks')),
    );
    expect(held[0]! + held[1]!).toBeGreaterThanOrEqual(6 * BLOCKS);
    const shown = await hydra(['status', '--once'], env);
    expect(shown.stdout).toMatch(/kvcache-0: \d+ blocks, \d+ of 1024 MiB/);
  });

  it.runIf(tls === 'on')(
    'given others than workers, when they ask for blocks, then caches and workers refuse them',
    async () => {
      const { certificates } = loadConfig({ env: { ...env, HYDRA_CONFIG: '' } });
      for (const service of ['gateway', 'scheduler', 'client', 'kvcache'] as const) {
        const security = openChannelSecurity({ tls: 'on', certificates }, service, createLogger('test', LOG));
        for (const [app, kind] of [
          ['kvcache-0', 'kvcache'],
          ['worker-0', 'worker'],
        ] as const) {
          const target = `127.0.0.1:${await portOf(platform, app, 'grpc')}`;
          const client = new KvBlocksClient(target, security.credentialsFor(kind), clientChannelOptions());
          const asked = callUnary(
            client.has.bind(client),
            { layout: undefined, blockHashes: [] },
            { timeoutMs: 5_000 },
          );
          await expect(asked, `${service} at ${app}`).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
          client.close();
        }
        security.onApplicationShutdown();
      }
    },
  );

  it.runIf(tls === 'on')(
    'given others than caches, when they announce what they hold, then schedulers refuse them, and a cache that would join as a worker',
    async () => {
      const { certificates } = loadConfig({ env: { ...env, HYDRA_CONFIG: '' } });
      const target = `127.0.0.1:${await portOf(platform, 'scheduler', 'grpc')}`;
      const followed = () => metricsOf(platform, 'scheduler')('hydra_scheduler_kvcaches');
      expect(await followed()).toBe(2);
      for (const [service, method] of [
        ['gateway', 'announce'],
        ['worker', 'announce'],
        ['client', 'announce'],
        ['scheduler', 'announce'],
        ['kvcache', 'join'],
      ] as const) {
        const security = openChannelSecurity({ tls: 'on', certificates }, service, createLogger('test', LOG));
        const client = new FleetClient(target, security.credentialsFor('scheduler'), clientChannelOptions());
        const call = client[method]();
        const refusal = once(call, 'error');
        expect(await refusal, `${service}: ${method}`).toMatchObject([{ code: status.PERMISSION_DENIED }]);
        client.close();
        security.onApplicationShutdown();
      }
      expect(await followed()).toBe(2);
    },
  );

  it('given a prompt whose worker is killed, when it comes again, then the cached blocks outlive it', async () => {
    const cold = await computed(promptOf(10));
    process.kill(pidOf(platform, cold.worker), 'SIGKILL');
    expect(await complete(promptOf(10))).toMatchObject({ tokenIds: cold.tokenIds, cached: 16 * BLOCKS });
    await eventually(async () => (await complete([1, 2, 3])).worker === cold.worker || undefined); // it is back
  });

  it('given caches that are killed, when prompts come, then they are computed; when the caches are back, they are used', async () => {
    const cold = await computed(promptOf(20));
    for (const name of ['kvcache-0', 'kvcache-1']) process.kill(pidOf(platform, name), 'SIGKILL');
    const answers = await Promise.all([promptOf(20), promptOf(20), promptOf(21), promptOf(21)].map(complete));
    expect(answers[1]!.tokenIds).toEqual(answers[0]!.tokenIds);
    expect(answers[0]!.tokenIds).toEqual(cold.tokenIds);
    let next = 21;
    await eventually(async () => {
      next++;
      const first = await complete(promptOf(next));
      const second = await complete(promptOf(next));
      return (first.worker !== second.worker && second.cached > 0) || undefined;
    });
  });
});

const LOG = { level: 'silent', format: 'json' } as const;
