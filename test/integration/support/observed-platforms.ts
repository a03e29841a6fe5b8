import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pathWithGpus } from '../../support/fake-nvidia-smi.js';
import { hydra } from '../../support/hydra.js';
import { type RunningPlatform, startPlatform } from '../../support/platform.js';
import { startRedis } from './redis.js';

const TINY_MODEL = fileURLToPath(new URL('../../data/models/llama', import.meta.url));

export interface ObservedPlatform {
  readonly platform: RunningPlatform;
  /** Where Prometheus finds its apps. */
  readonly targetsFile: string;
}

export interface KeyedPlatform extends ObservedPlatform {
  /** Of an operator: may do everything, scrape too. */
  readonly operatorKey: string;
  /** Of the tenant `acme`, which may send three requests a minute. */
  readonly limitedKey: string;
}

const storage = () => {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-observed-'));
  return { folder, targetsFile: join(folder, 'run', 'prometheus-targets.json') };
};

/** Two mock workers on a host with GPUs; keys, prices, limits in a real Redis, TLS between the apps. */
export async function startMockPlatform(closers: (() => Promise<unknown>)[]): Promise<KeyedPlatform> {
  const { folder, targetsFile } = storage();
  const redis = await startRedis();
  closers.push(() => redis.stop());
  const env = {
    HYDRA_HOME: folder,
    HYDRA_ENGINE: 'mock',
    HYDRA_AUTH: 'required',
    HYDRA_DATABASE_URL: `sqlite:${join(folder, 'hydra.db')}`,
    HYDRA_REDIS_URL: redis.url,
    HYDRA_TLS: 'on',
    PATH: pathWithGpus(),
  };
  const operatorKey = (await hydra(['keys', 'bootstrap'], env)).stdout.trim();
  const yaml = 'models: [{ id: mock, workers: 2, price: { input: 1000, output: 2000 } }]';
  const platform = await startPlatform({ env, yaml });
  closers.push(() => platform.stop());
  const tool = (...args: string[]) => hydra([...args, '--url', platform.url], { HYDRA_API_KEY: operatorKey });
  await tool('tenants', 'create', 'acme');
  await tool('tenants', 'add-account', 'acme', 'bot');
  await tool('tenants', 'set-roles', 'acme', 'bot', 'user');
  await tool('tenants', 'limit', 'acme', '--requests-per-minute', '3');
  const limitedKey = (await tool('keys', 'create', 'acme', 'bot')).stdout.trim();
  return { platform, targetsFile, operatorKey, limitedKey };
}

/** Two workers of the embedded engine with a tiny model, and a cache of KV blocks with a real Redis behind; a gateway without keys. */
export async function startOnnxPlatform(
  closers: (() => Promise<unknown>)[],
  strategy: 'predicted-ttft' | 'round-robin',
): Promise<ObservedPlatform> {
  const { folder, targetsFile } = storage();
  const redis = await startRedis();
  closers.push(() => redis.stop());
  const env = {
    HYDRA_HOME: folder,
    HYDRA_KVCACHE_REDIS_URL: redis.url,
    HYDRA_KVCACHE_FETCH: 'always',
    HYDRA_THREADS: '1',
  };
  const yaml = `models: [{ id: tiny, source: ${TINY_MODEL}, workers: 2, strategy: ${strategy} }]`;
  const platform = await startPlatform({ env, yaml, args: ['--kvcache', '1'] });
  closers.push(() => platform.stop());
  return { platform, targetsFile };
}
