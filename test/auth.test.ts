import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hydra } from './support/hydra.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const env = {
  HYDRA_ENGINE: 'mock',
  HYDRA_DATABASE_URL: `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-auth-')), 'new', 'hydra.db')}`,
};

describe('a platform that needs keys', () => {
  let platform: RunningPlatform;
  let key: string;
  beforeAll(async () => {
    const made = await Promise.all([1, 2, 3].map(() => hydra(['keys', 'bootstrap'], env)));
    expect(made.map(({ code }) => code)).toEqual([0, 0, 0]); // several at once on a new database
    expect(new Set(made.map(({ stdout }) => stdout)).size).toBe(3);
    key = made[0]?.stdout.trim() ?? '';
    platform = await startPlatform({
      env: { ...env, HYDRA_AUTH: 'required', HYDRA_HOST: '0.0.0.0', HYDRA_LOG_LEVEL: 'trace' },
    });
  });
  afterAll(() => platform?.stop());

  it('given the first key, when the command line asks and administers with it, then it may; without it, it may not', async () => {
    const url = platform.url.replace('0.0.0.0', '127.0.0.1');
    const answered = await hydra(['chat', '--url', url, '--max-tokens', '3', 'hello'], { HYDRA_API_KEY: key });
    expect(answered).toMatchObject({ code: 0, stdout: expect.stringMatching(/\S/) });
    const refused = await hydra(['chat', '--url', url, 'hello'], { HYDRA_API_KEY: '' });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("didn't provide an API key") });
    const wrong = `${key.slice(0, -4)}AAAA`;
    expect((await hydra(['chat', '--url', url, 'hello'], { HYDRA_API_KEY: wrong })).code).toBe(1);
    const as = { HYDRA_API_KEY: key };
    const tool = (...args: string[]) => hydra([...args, '--url', url], as);
    expect((await tool('tenants', 'create', 'acme')).stdout).toContain('hydra tenants add-account acme');
    expect((await tool('tenants', 'add-account', 'acme', 'bot')).code).toBe(0);
    expect((await tool('tenants', 'set-roles', 'acme', 'bot')).code).toBe(0);
    expect((await tool('tenants', 'set-roles', 'acme', 'bot', 'user')).code).toBe(0);
    const made = await tool('keys', 'create', 'acme', 'bot', '--days', '1');
    const own = { HYDRA_API_KEY: made.stdout.trim() };
    const id = made.stdout.slice(6, 18);
    expect((await tool('keys', 'list', 'acme')).stdout).toMatch(new RegExp(`${id} +bot +user +inference,usage`));
    expect((await tool('policies', 'create', 'user', 'no-*', '--tenant', 'acme', '--max-tokens', '5')).code).toBe(0);
    expect((await tool('policies', 'list', 'acme')).stdout).toMatch(/acme +user +use +max_tokens 5 +no-\*/);
    const limited = await tool('tenants', 'limit', 'acme', '--tokens-per-minute', '9', '--tokens-per-day', '8');
    expect(limited.stdout).toBe('limits of acme: 9 tokens/min, 8 tokens/day, and no others\n');
    expect((await tool('tenants', 'limit', 'acme')).stdout).toBe('acme has no limits any more\n');
    expect((await tool('tenants', 'limit', 'acme', '--tokens-per-minute', '9')).code).toBe(0);
    expect((await tool('tenants', 'limits', 'acme')).stdout).toMatch(/the tenant +all +– +9 +–/);
    const denied = await hydra(['chat', '--url', url, '--model', 'default', 'hello'], own);
    expect(denied.stderr).toContain('does not exist');
    expect((await tool('keys', 'revoke', 'acme', id)).code).toBe(0);
    expect((await hydra(['chat', '--url', url, 'hello'], own)).stderr).toContain('Incorrect API key');
    expect((await tool('tenants', 'suspend', 'nobody')).stderr).toMatch(/^hydra: There is no tenant 'nobody'\.\n$/);
    const lines = platform.lines.join('\n');
    for (const secret of [key.slice(-43), wrong.slice(-43), own.HYDRA_API_KEY.slice(-43)])
      expect(lines).not.toContain(secret);
  }, 120_000); // some twenty processes, one after another
});

it('given a host that others reach and no authentication, when started, then it ends with code 78 and says how to go on', async () => {
  await expect(startPlatform({ env: { HYDRA_ENGINE: 'mock', HYDRA_HOST: '0.0.0.0' } })).rejects.toThrow(
    /code 78[\s\S]*hydra keys bootstrap[\s\S]*HYDRA_AUTH=required/,
  );
});

it('given a database that cannot be used, when a key is to be made, then one sentence says so without its password', async () => {
  const { code, stderr } = await hydra(['keys', 'bootstrap'], {
    HYDRA_DATABASE_URL: 'postgres://someone:hunter2@127.0.0.1:1/hydra',
  });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^hydra: the database \(database\.url\) cannot be used: .*\n$/);
  expect(stderr).not.toContain('hunter2');
});
