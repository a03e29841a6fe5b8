import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FailureCode } from '#lib/contracts';
import { dataOf, post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

let platform: TestPlatform;
let keys = 0;
beforeAll(async () => {
  platform = await startTestPlatform({ gateway: { idempotencyBytes: 20_000 } });
});
beforeEach(() => {
  platform.worker.onSubmit = (generation) => void generation.runToEnd();
});
afterAll(() => platform.stop());

const newKey = () => `key-${keys++}`;
const complete = (key: string, extra: object = {}) =>
  post(
    `${platform.url}/v1/completions`,
    { model: 'default', prompt: 'hello', max_tokens: 3, ...extra },
    { 'idempotency-key': key },
  );
const codeOf = async (response: Response) => ((await response.json()) as { error: { code: string } }).error.code;

describe('Idempotency-Key', () => {
  it('given the same request with the same key, then the same answer comes, and nothing is generated', async () => {
    const key = newKey();
    const first = await complete(key);
    const text = await first.text();
    const generated = platform.worker.generations.length;
    const second = await complete(key);
    expect(await second.text()).toBe(text);
    expect([first, second].map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true']);
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect(platform.worker.generations.length).toBe(generated);
    expect(await (await complete(newKey())).text()).not.toBe(text);
  });

  it('given another body with the same key, then 422; while the first runs, 409', async () => {
    const key = newKey();
    let release = () => {};
    platform.worker.onSubmit = (generation) => {
      release = () => void generation.runToEnd();
    };
    const running = platform.worker.generations.length;
    const first = complete(key);
    await platform.worker.generation(running);
    const same = await complete(key);
    expect([same.status, await codeOf(same)]).toEqual([409, 'idempotency_key_in_use']);
    const other = await complete(key, { prompt: 'other' });
    expect([other.status, await codeOf(other)]).toEqual([422, 'idempotency_key_reused']);
    release();
    expect((await first).status).toBe(200);
    const late = await complete(key, { prompt: 'other' });
    expect([late.status, await codeOf(late)]).toEqual([422, 'idempotency_key_reused']);
  });

  it('given a request that fails, then the key is free for another try', async () => {
    const key = newKey();
    platform.worker.onSubmit = (generation) => generation.fail(FailureCode.ENGINE_ERROR, false);
    expect((await complete(key)).status).toBe(500);
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    expect((await complete(key)).status).toBe(200);
  });

  it('given streams, then each is generated', async () => {
    const key = newKey();
    for (let i = 0; i < 2; i++) {
      const generated = platform.worker.generations.length;
      const stream = await complete(key, { stream: true });
      expect(dataOf(await stream.text()).at(-1)).toBe('[DONE]');
      expect(platform.worker.generations.length).toBe(generated + 1);
    }
  });

  it.each(['x'.repeat(256), 'two words'])('given the key %j, then 400', async (key) => {
    const refused = await complete(key);
    expect([refused.status, await codeOf(refused)]).toEqual([400, 'invalid_value']);
  });

  it('given more answers than there is memory for, then the oldest are forgotten', async () => {
    const oldest = newKey();
    await (await complete(oldest)).text();
    for (let i = 0; i < 40; i++) await (await complete(newKey())).text();
    expect((await complete(oldest)).headers.get('idempotent-replayed')).toBeNull();
  });
});
