import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from './support/eventually.js';
import { hydra } from './support/hydra.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const APPS = ['gateway', 'scheduler', 'worker-0'];
const SECRETS = { prompt: 'the cat is under the red chair', text: 'a word that nobody may see' };
const database = `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-lines-')), 'hydra.db')}`;
let platform: RunningPlatform;
let key: string;

beforeAll(async () => {
  const env = { HYDRA_ENGINE: 'mock', HYDRA_DATABASE_URL: database };
  key = (await hydra(['keys', 'bootstrap'], env)).stdout.trim();
  platform = await startPlatform({
    env: {
      ...env,
      HYDRA_AUTH: 'required',
      HYDRA_LOG_LEVEL: 'trace',
      HYDRA_MOCK_FAIL_EVERY: '3',
      HYDRA_MOCK_TTFT_MS: '1',
    },
  });
});
afterAll(() => platform?.stop());

function complete(requestId: string, trace: string, extra: object = {}): Promise<Response> {
  return fetch(`${platform.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${key}`,
      'x-request-id': requestId,
      traceparent: `00-${trace}-00f067aa0ba902b7-01`,
    },
    body: JSON.stringify({
      ...{ model: 'default', messages: [{ role: 'user', content: SECRETS.prompt }], stop: [SECRETS.text] },
      ...{ max_tokens: 5, ignore_eos: true, ...extra },
    }),
  });
}

/** The lines of an app about a request, parsed. */
function linesOf(app: string, requestId: string): Record<string, unknown>[] {
  const own = platform.lines.filter((line) => line.startsWith(`${app} `)).map((line) => line.slice(app.length + 1));
  return own.map((line) => JSON.parse(line)).filter((line) => line.request_id === requestId);
}

describe('the log lines of every app at the level `trace`', () => {
  it('given requests that are answered, that fail and that are refused, when they end, then every line about them names request, tenant and trace', async () => {
    const traces = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(32));
    for (const [i, trace] of traces.slice(0, 3).entries())
      await (await complete(`request-${i}`, trace, { stream: i === 2 })).text();
    await (await complete('request-3', traces[3] as string, { model: 'nobody' })).text();
    for (const [i, trace] of traces.entries()) {
      for (const app of i === 3 ? ['gateway'] : APPS) {
        const lines = await eventually(() => {
          const found = linesOf(app, `request-${i}`);
          return found.length > 0 ? found : undefined;
        });
        for (const line of lines) {
          expect(line, JSON.stringify(line)).toMatchObject({ trace_id: trace, tenant_id: expect.stringMatching(/./) });
          if (app !== 'gateway') expect(line, JSON.stringify(line)).toHaveProperty('generation_id');
        }
      }
    }
  });

  it('given routes that keep no record, when they are answered, then their lines name tenant and trace all the same', async () => {
    const trace = 'd'.repeat(31).concat('1');
    for (const path of ['models', 'usage', 'admin/audit']) {
      const requestId = `other-${path}`;
      await fetch(`${platform.url}/v1/${path}`, {
        headers: {
          authorization: `Bearer ${key}`,
          'x-request-id': requestId,
          traceparent: `00-${trace}-00f067aa0ba902b7-01`,
        },
      });
      const lines = await eventually(() => {
        const found = linesOf('gateway', requestId);
        return found.length > 0 ? found : undefined;
      });
      for (const line of lines) expect(line).toMatchObject({ trace_id: trace, tenant_id: expect.stringMatching(/./) });
    }
  });

  it('given a key in an id, a path or the name of a model, when answered, then nothing that is told or logged repeats its secret', async () => {
    const secret = key.slice(-43);
    const given = await complete(key, 'c'.repeat(31).concat('2'), { model: `my-${key}` });
    const headers = { authorization: `Bearer ${key}`, 'x-request-id': key };
    const answers = [given];
    for (const path of [`models/${key}`, `nope/${key}`, `admin/traces/${key}`, `admin/tenants/${key}/accounts`]) {
      answers.push(await fetch(`${platform.url}/v1/${path}`, { headers }));
    }
    for (const answer of answers) {
      expect(answer.status).toBe(404);
      expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
      const text = await answer.text();
      for (let at = 0; at < secret.length - 20; at++) expect(text).not.toContain(secret.slice(at, at + 20));
    }
    await platform.line(/^gateway .*nope\/hydra_[A-Za-z0-9-]{12}_\*\*\*/);
  });

  it('given prompts, stop strings and keys, when requests have gone through, then no line of any app has one', () => {
    expect(platform.lines.length).toBeGreaterThan(20);
    const all = platform.lines.join('\n');
    for (const secret of [SECRETS.prompt, SECRETS.text, key, key.slice(-43)]) expect(all).not.toContain(secret);
    expect(all).not.toMatch(/"promptTokenIds"|"prompt_token_ids"/);
  });
});

describe('hydra log-level', () => {
  const as = () => ({ HYDRA_API_KEY: key });
  const set = (...args: string[]) => hydra(['log-level', ...args, '--url', platform.url], as());

  it('given a level for all, when requests follow, then no app tells of them; given one app, then that one does', async () => {
    const quiet = await set('warn');
    expect(quiet.code, quiet.stderr).toBe(0);
    for (const app of APPS) expect(quiet.stdout).toMatch(new RegExp(`${app} +warn +trace`));
    await (await complete('unheard', 'e'.repeat(32))).text();
    const loud = await set('debug', '--app', 'worker-0', '--for', '600');
    expect(loud.stdout).toMatch(/worker-0 +debug +warn/);
    expect(loud.stdout).not.toContain('gateway');
    await platform.line(/^worker-0 .*"message":"what is logged was changed"/);
    await (await complete('heard', 'f'.repeat(32))).text();
    await eventually(() => linesOf('worker-0', 'heard').length > 0 || undefined);
    expect(linesOf('gateway', 'heard')).toEqual([]);
    for (const app of APPS) expect(linesOf(app, 'unheard'), app).toEqual([]);
  });

  it('given a wrong level or an unknown app, when asked, then it is refused; every change is in the audit log', async () => {
    expect((await set('loud')).stderr).toContain('level');
    expect((await set('warn', '--app', 'nobody')).stderr).toContain('no app of this name');
    const response = await fetch(`${platform.url}/v1/admin/audit`, { headers: { authorization: `Bearer ${key}` } });
    const { data } = (await response.json()) as { data: { action: string; target: string; details: object }[] };
    expect(data.filter(({ action }) => action === 'log-level-set').at(-1)).toMatchObject({
      target: 'all',
      details: { level: 'warn' },
    });
  });
});
