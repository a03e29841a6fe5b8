import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { metricsOf } from './support/app-metrics.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';
import { tenantKey } from './support/tenant-key.js';

const PROMPT = 'Everything that is asked here was never asked before by anybody else. '.repeat(3);
const databaseUrl = `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-tenants-')), 'hydra.db')}`;

let platform: RunningPlatform;
let keys: Record<'acme' | 'other', string>;
beforeAll(async () => {
  keys = { acme: await tenantKey(databaseUrl, 'acme'), other: await tenantKey(databaseUrl, 'other') };
  platform = await startPlatform({
    env: { HYDRA_ENGINE: 'mock', HYDRA_MOCK_ITL_MS: '0', HYDRA_AUTH: 'required', HYDRA_DATABASE_URL: databaseUrl },
  });
});
afterAll(() => platform?.stop());

/** What a request of a tenant is told, and the prompt tokens that were computed for it: its time but for chance. */
async function ask(tenant: keyof typeof keys, salt?: string): Promise<{ cached: number; computed: number }> {
  const worker = metricsOf(platform, 'worker-0');
  const computedTokens = async () =>
    (await worker('hydra_worker_prompt_tokens_total')) - (await worker('hydra_worker_prefix_hit_tokens_total'));
  const before = await computedTokens();
  const response = await fetch(`${platform.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${keys[tenant]}` },
    body: JSON.stringify({ model: 'default', prompt: PROMPT, max_tokens: 4, cache_salt: salt }),
  });
  const answer = (await response.json()) as { usage: { prompt_tokens_details: { cached_tokens: number } } };
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return { cached: answer.usage.prompt_tokens_details.cached_tokens, computed: (await computedTokens()) - before };
}

it('given two tenants, when one has asked something, then the other pays for it as if nobody had, whatever salt it names', async () => {
  const stranger = await ask('acme');
  expect(stranger).toEqual({ cached: 0, computed: PROMPT.length }); // a token is a byte here
  expect(await ask('other')).toEqual(stranger);
  expect((await ask('acme')).computed).toBeLessThan(16 + 1);
  for (const salt of ['acme', 'default', 'anonymous']) expect(await ask('other', salt)).toEqual(stranger);
  expect((await ask('other')).computed).toBeLessThan(16 + 1);
});
