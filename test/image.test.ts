import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './support/eventually.js';
import { metricSum } from './support/metrics.js';
import { WorkerProcess } from './support/worker-process.js';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));

/** The apps as their container images have them, each from a folder of its own and with nothing else on its path. */
describe('images', { timeout: 120_000 }, () => {
  const root = mkdtempSync(join(tmpdir(), 'hydra-images-'));
  const config = join(root, 'hydra.yaml');
  const apps: WorkerProcess[] = [];
  let url = '';
  let kvcacheUrl = '';

  const start = async (app: string, env: Readonly<Record<string, string>>) => {
    const folder = join(root, app);
    execFileSync(process.execPath, ['scripts/assemble-image.mjs', app, folder], { cwd: REPOSITORY, stdio: 'ignore' });
    const home = join(root, `home-of-${app}`);
    mkdirSync(home);
    const main = join(folder, `dist/apps/${app}/src/main.js`);
    const running = new WorkerProcess({ PATH: '/nowhere', HOME: home, HYDRA_CONFIG: config, ...env }, main);
    apps.push(running);
    return running.ready();
  };

  beforeAll(async () => {
    writeFileSync(config, `models: [{ id: tiny, source: ${MODEL} }]\nstorage: { folder: ${join(root, 'models')} }\n`);
    const scheduler = await start('scheduler', { HYDRA_SCHEDULER_GRPC_PORT: '0', HYDRA_SCHEDULER_HTTP_PORT: '0' });
    const target = { HYDRA_SCHEDULER_TARGET: `127.0.0.1:${scheduler.grpcPort}` };
    const free = { HYDRA_KVCACHE_GRPC_PORT: '0', HYDRA_KVCACHE_HTTP_PORT: '0' };
    const kvcache = await start('kvcache', free);
    kvcacheUrl = `http://127.0.0.1:${kvcache.httpPort}`;
    const caches = { HYDRA_KVCACHE_TARGETS: `127.0.0.1:${kvcache.grpcPort}` };
    await start('inference', { ...target, ...caches, HYDRA_THREADS: '1', HYDRA_KV_BYTES: String(8 * 1024 * 1024) });
    const gateway = await start('gateway', { ...target, HYDRA_HTTP_PORT: '0', HYDRA_GRPC_PORT: '0' });
    url = `http://127.0.0.1:${gateway.httpPort}`;
    await eventually(async () => (await fetch(`${url}/health/ready`)).ok || undefined);
  });

  afterAll(async () => {
    for (const app of apps.reverse()) expect(await app.stop()).toBe(0);
  });

  it('given all of them, when asked over the public API, then the model answers', async () => {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
    const answer = await client.completions.create({ model: 'tiny', prompt: 'Hello', max_tokens: 5, temperature: 0 });
    expect(answer.usage?.completion_tokens).toBe(5);
  });

  it('given a prompt that was computed, when it is done, then the cache of KV blocks has got its blocks', async () => {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
    const prompt = Array.from({ length: 40 }, (_, index) => 10 + index);
    await client.completions.create({ model: 'tiny', prompt, max_tokens: 1, temperature: 0 });
    await eventually(async () => {
      const page = await (await fetch(`${kvcacheUrl}/metrics`)).text();
      return metricSum(page, 'hydra_kvcache_stored_blocks_total') >= 2 || undefined;
    });
  });

  it('given the gateway, when its pages are asked for, then the console and Swagger are there', async () => {
    expect(await (await fetch(url)).text()).toContain('<title>HydraServe</title>');
    expect((await fetch(`${url}/docs`)).status).toBe(200);
    expect((await fetch(`${url}/docs/swagger-ui-bundle.js`)).status).toBe(200);
  });

  it("given the gateway's image, when a first key is made in it, then it is printed", () => {
    const cli = join(root, 'gateway/dist/apps/cli/src/main.js');
    const env = { HYDRA_CONFIG: config, HYDRA_DATABASE_URL: `sqlite:${join(root, 'hydra.db')}` };
    const key = execFileSync(process.execPath, [cli, 'keys', 'bootstrap'], { env, encoding: 'utf8' });
    expect(key.trim()).toMatch(/^hydra_[A-Za-z0-9-]{12}_[A-Za-z0-9_-]{43}$/);
  });
});
