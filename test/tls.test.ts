import { mkdtempSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { FleetClient } from '#lib/contracts';
import { metricsOf } from './support/app-metrics.js';
import { pidOf } from './support/app-pid.js';
import { hydra } from './support/hydra.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const certificates = join(mkdtempSync(join(tmpdir(), 'hydra-tls-')), 'certificates');
const env = { HYDRA_TLS: 'on', HYDRA_CERTIFICATES: certificates, HYDRA_TLS_RELOAD_INTERVAL_MS: '100' };
const WITHIN_MS = { timeout: 30_000, interval: 100 };

describe('a platform with tls: on', () => {
  let platform: RunningPlatform;
  let client: OpenAI;
  beforeAll(async () => {
    platform = await startPlatform({ env: { ...env, HYDRA_ENGINE: 'mock', HYDRA_MOCK_ITL_MS: '20' } });
    client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => platform?.stop());

  const ask = (maxTokens: number) =>
    client.chat.completions.create({
      model: 'default',
      messages: [{ role: 'user', content: 'hello' }],
      max_tokens: maxTokens,
      stream: true,
    });
  const answer = async (maxTokens: number) => {
    let pieces = 0;
    let end: string | null | undefined;
    for await (const { choices } of await ask(maxTokens)) {
      pieces += choices[0]?.delta.content ? 1 : 0;
      end = choices[0]?.finish_reason ?? end;
    }
    return { pieces, end };
  };

  it('given no certificates, when it started, then it has made them, keys for their owner alone, and answers', async () => {
    const keys = readdirSync(certificates).filter((file) => file.endsWith('.key'));
    expect(keys).toEqual(['ca.key', 'client.key', 'gateway.key', 'kvcache.key', 'scheduler.key', 'worker.key']);
    for (const key of keys) expect(statSync(join(certificates, key)).mode & 0o777).toBe(0o600);
    expect(await answer(5)).toMatchObject({ end: 'length' });
    const shown = await hydra(['status', '--once', '--scheduler', platform.schedulerTarget], env);
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('worker-0') });
  });

  it('given somebody in the clear, when he asks the scheduler, then he is refused and counted', async () => {
    const plain = new FleetClient(platform.schedulerTarget, credentials.createInsecure());
    const reason = await new Promise<Error>((resolve) => plain.watch({ watcherId: 'x' }).once('error', resolve));
    plain.close();
    expect(reason.message).toContain('UNAVAILABLE');
    const refused = await metricsOf(platform, 'scheduler')('hydra_tls_refused_total', { reason: 'plaintext' });
    expect(refused).toBeGreaterThanOrEqual(1);
  });

  it('given a running stream, when authority and certificates change, then it goes on, and a new worker joins with the new ones', async () => {
    const stream = await ask(400);
    const pieces = stream[Symbol.asyncIterator]();
    await pieces.next();
    expect((await hydra(['certs', 'rotate'], env)).code).toBe(0);
    for (const app of ['gateway', 'scheduler', 'worker-0']) {
      await platform.line(new RegExp(`^${app} .*new certificates count from now on`));
    }
    expect((await hydra(['certs', 'renew', '--all'], env)).stdout).toContain('worker.crt');
    expect((await hydra(['certs', 'retire'], env)).code).toBe(0);
    process.kill(pidOf(platform, 'scheduler'), 'SIGKILL'); // comes back, and all connect to it anew
    let end: string | null | undefined;
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
      end = next.value.choices[0]?.finish_reason ?? end;
    }
    expect(end).toBe('length');
    await vi.waitFor(async () => {
      const shown = await hydra(['status', '--once', '--scheduler', platform.schedulerTarget], env);
      expect(shown.stdout).toContain('worker-0');
    }, WITHIN_MS);
    expect(await answer(5)).toMatchObject({ end: 'length' });
  });
});

describe('a platform whose gateway speaks TLS', () => {
  let platform: RunningPlatform;
  beforeAll(async () => {
    const own = join(certificates, '..', 'public');
    const issued = { HYDRA_CERTIFICATES: own };
    expect((await hydra(['certs', 'init'], issued)).stdout).toContain('spiffe://hydraserve.local/kvcache/default');
    const names = ['--dns', 'localhost', '--ip', '127.0.0.1'];
    const { stdout } = await hydra(['certs', 'issue', 'gateway', 'public', ...names], issued);
    const [certificateFile = '', keyFile = ''] = stdout.split('\n');
    platform = await startPlatform({
      env: {
        HYDRA_ENGINE: 'mock',
        HYDRA_GATEWAY_CERTIFICATE_FILE: certificateFile,
        HYDRA_GATEWAY_KEY_FILE: keyFile,
      },
    });
  });
  afterAll(() => platform?.stop());

  it('given its authority, when the command line asks, then it is answered; without it, nobody is believed', async () => {
    expect(platform.url).toMatch(/^https:/);
    const trusting = { NODE_EXTRA_CA_CERTS: join(certificates, '..', 'public', 'ca.crt') };
    const answered = await hydra(['chat', '--url', platform.url, '--max-tokens', '3', 'hello'], trusting);
    expect(answered).toMatchObject({ code: 0, stdout: expect.stringMatching(/\S/) });
    expect(await hydra(['chat', '--url', platform.url, 'hello'])).toMatchObject({ code: 1 });
  });
});
