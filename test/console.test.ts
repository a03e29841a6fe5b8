import { mkdtempSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const MOCK = { HYDRA_ENGINE: 'mock', HYDRA_MOCK_TTFT_MS: '1', HYDRA_MOCK_ITL_MS: '1' };

let platform: RunningPlatform;
beforeAll(async () => {
  // The pages hold no data: they are there for whoever reaches the port, also where keys are needed.
  const url = `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-console-')), 'hydra.db')}`;
  platform = await startPlatform({ env: { ...MOCK, HYDRA_AUTH: 'required', HYDRA_DATABASE_URL: url } });
});
afterAll(() => platform?.stop());

/** Bytes as they are sent: `fetch` takes the compression off. */
function raw(path: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: Buffer }>((resolve, reject) => {
    request(`${platform.url}${path}`, { headers }, async (response) => {
      const body = Buffer.concat(await response.toArray());
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    })
      .on('error', reject)
      .end();
  });
}

async function assets(): Promise<string[]> {
  const page = await (await fetch(platform.url)).text();
  return [...page.matchAll(/(?:src|href)="\.(\/assets\/[^"]+)"/g)].map((match) => match[1] ?? '');
}

describe('the console', () => {
  it('given the address of the gateway, then the page is there without a key, and may load nothing from elsewhere', async () => {
    const response = await fetch(platform.url);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const page = await response.text();
    expect(page).not.toMatch(/https?:\/\/|style=|<script>/);
  });

  it('given its assets, then browsers keep them for good, and the page never', async () => {
    const files = await assets();
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const file of files) {
      const { status, headers } = await raw(file);
      expect([status, headers['cache-control']]).toEqual([200, 'public, max-age=31536000, immutable']);
    }
    expect((await raw('/')).headers['cache-control']).toBe('no-cache');
  });

  it('given a browser that knows brotli, then the bytes come compressed and are the same', async () => {
    for (const path of ['/', ...(await assets())]) {
      const [plain, packed] = await Promise.all([raw(path), raw(path, { 'accept-encoding': 'gzip, br' })]);
      expect(packed.headers['content-encoding']).toBe('br');
      expect(packed.headers['content-type']).toBe(plain.headers['content-type']);
      expect(packed.headers['vary']).toBe('accept-encoding');
      expect(brotliDecompressSync(packed.body).equals(plain.body)).toBe(true);
    }
  });

  it('given a page that did not change, then it is not sent again', async () => {
    const { headers } = await raw('/');
    const again = await raw('/', { 'if-none-match': String(headers['etag']) });
    expect([again.status, again.body.length]).toEqual([304, 0]);
  });

  it.each(['/v1/models', '/v1/nothing', '/assets/nothing.js', '/index.html.br', '/assets/../package.json', '/nothing'])(
    'given another path (%s), then no page takes its place: without a key it is 401 in the one shape',
    async (path) => {
      const { status, body } = await raw(path);
      expect(status).toBe(401);
      expect(JSON.parse(body.toString())).toMatchObject({ error: { code: 'invalid_api_key' } });
    },
  );

  it('given another method, then the answer says which there is', async () => {
    const response = await fetch(platform.url, { method: 'POST', headers: { authorization: 'Bearer x' } });
    expect(response.status).toBe(401);
    expect((await fetch(platform.url, { method: 'HEAD' })).status).toBe(200);
  });
});

describe('gateway.console: off', () => {
  it('then there is no page, and the API is what it was', async () => {
    const without = await startPlatform({ env: { ...MOCK, HYDRA_CONSOLE: 'off' } });
    try {
      const ask = (path: string) => ['GET', 'POST'].map((method) => fetch(`${without.url}${path}`, { method }));
      const answers = await Promise.all(['/', '/index.html'].flatMap(ask));
      for (const answer of answers) {
        expect(answer.status).toBe(404);
        expect(await answer.json()).toMatchObject({ error: { code: 'route_not_found' } });
      }
      expect((await fetch(`${without.url}/v1/models`)).status).toBe(200);
    } finally {
      await without.stop();
    }
  });
});
