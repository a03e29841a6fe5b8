import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from '../test-support/raw-client.js';
import { post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

const PATHS = [
  '../../metrics',
  '..%2f..%2fmetrics',
  '%2e%2e/%2e%2e/openapi.json',
  '..\\..\\metrics',
  '%00',
  'a%0d%0ab',
];
const NAMES = [
  '../../etc/passwd',
  '/etc/passwd',
  'C:\\models',
  'a\u0000b',
  'a\r\nx-injected: 1',
  '__proto__',
  'constructor',
];

let platform: TestPlatform;
beforeAll(async () => {
  platform = await startTestPlatform();
});
afterAll(() => platform.stop());

async function exchange(bytes: string): Promise<string> {
  const client = new RawClient(platform.httpPort);
  client.send(bytes);
  return client.closed();
}

describe('names that are more than names', () => {
  it.each(PATHS)('given /v1/models/%s, then there is no such model, or the path is none', async (path) => {
    const answer = await exchange(`GET /v1/models/${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 (400|404) /);
    expect(answer).toMatch(/"code":"(model_not_found|route_not_found|bad_request)"/);
    expect(answer).not.toContain('process_cpu_seconds_total');
  });

  it.each(NAMES)('given the model %j in a body, then it is unknown, and the answer is one whole', async (model) => {
    for (const route of ['completions', 'chat/completions', 'embeddings']) {
      const input = { prompt: 'x', messages: [{ role: 'user', content: 'x' }], input: 'x' };
      const response = await post(`${platform.url}/v1/${route}`, { model, ...input });
      expect(response.status, route).toBe(404);
      expect(response.headers.get('x-injected')).toBeNull();
      expect(await response.json()).toMatchObject({ error: { code: 'model_not_found', param: 'model' } });
    }
  });
});
