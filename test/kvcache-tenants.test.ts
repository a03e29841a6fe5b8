import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { metricsOf } from './support/app-metrics.js';
import { eventually } from './support/eventually.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';
import { tenantKey } from './support/tenant-key.js';

const MODEL = fileURLToPath(new URL('data/models/llama', import.meta.url));
/** Numbers of tokens; the blocks before the last token have 16 each. */
const PROMPT = Array.from({ length: 450 }, (_, index) => 10 + ((Math.imul(index + 1, 2_654_435_761) >>> 8) % 200));
const BLOCKS = 28;

let platform: RunningPlatform;
let keys: Record<'acme' | 'other', string>;
beforeAll(async () => {
  const home = mkdtempSync(join(tmpdir(), 'hydra-kvcache-tenants-'));
  const databaseUrl = `sqlite:${join(home, 'hydra.db')}`;
  keys = { acme: await tenantKey(databaseUrl, 'acme'), other: await tenantKey(databaseUrl, 'other') };
  platform = await startPlatform({
    yaml: `models: [{ id: tiny, source: ${MODEL}, weights: fp32, numerics: exact, contextTokens: 512, strategy: round-robin }]\n`,
    env: {
      ...{ HYDRA_WORKERS: '2', HYDRA_THREADS: '1', HYDRA_KV_BYTES: String(16 * 1024 * 1024), HYDRA_HOME: home },
      ...{ HYDRA_KVCACHE_FETCH: 'always', HYDRA_AUTH: 'required', HYDRA_DATABASE_URL: databaseUrl, HYDRA_TLS: 'on' },
    },
    args: ['--kvcache', '1'],
  });
});
afterAll(() => platform?.stop());

/** Asks the next worker. @returns its first tokens, and how many of the prompt were not computed */
async function ask(tenant: keyof typeof keys, prompt = PROMPT, salt?: string) {
  const response = await fetch(`${platform.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${keys[tenant]}` },
    body: JSON.stringify({
      ...{ model: 'tiny', prompt, max_tokens: 8, temperature: 0, ignore_eos: true, return_token_ids: true },
      cache_salt: salt,
    }),
  });
  const answer = (await response.json()) as {
    choices: { token_ids: number[] }[];
    usage: { prompt_tokens_details: { cached_tokens: number } };
  };
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return { tokenIds: answer.choices[0]!.token_ids, cached: answer.usage.prompt_tokens_details.cached_tokens };
}

const cacheMetric = (name: string) => metricsOf(platform, 'kvcache')(name);

it("given blocks of a tenant in a shared cache, when another tenant sends the same prompt, then it finds none of them, and the tenant's other worker all", async () => {
  const cold = await ask('acme'); // the first worker
  expect(cold.cached).toBe(0);
  await eventually(async () => (await cacheMetric('hydra_kvcache_memory_blocks')) >= BLOCKS || undefined);

  const stranger = await ask('other'); // the second
  expect(stranger).toEqual(cold);
  await ask('acme', [1, 2, 3]); // the first
  expect(await ask('other', PROMPT, 'acme')).toEqual(cold); // the second, by a salt that is not the other's
  expect(await cacheMetric('hydra_kvcache_asked_blocks_total')).toBeGreaterThanOrEqual(2 * BLOCKS);
  expect(await cacheMetric('hydra_kvcache_found_blocks_total')).toBe(0);

  await ask('acme', [1, 2, 3]); // the first
  expect(await ask('acme')).toEqual({ ...cold, cached: 16 * BLOCKS }); // the second
  expect(await cacheMetric('hydra_kvcache_found_blocks_total')).toBe(BLOCKS);
});
