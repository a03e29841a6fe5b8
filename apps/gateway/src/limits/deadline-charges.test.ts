import { expect, it } from 'vitest';
import { startAdminPlatform } from '../test-support/admin-platform.js';
import { post } from '../test-support/test-platform.js';

const QUOTA = 40;

it.each<[string, object, object, number]>([
  ['its own deadline', { timeout_ms: 1_500 }, {}, 3],
  ['the deadline of the gateway', {}, { requestTimeoutMs: 1_500 }, 0],
])(
  'given an answer sent whole that %s ends, then who set the deadline himself pays for what was computed, and nobody else',
  async (_, extra, gateway, paid) => {
    const { platform, ask, makeTenant, operator } = await startAdminPlatform({ limits: { sliceTokens: 8 }, gateway });
    const { user } = await makeTenant('acme');
    await ask(operator, 'PUT', 'admin/tenants/acme/limits', { tokens_per_month: QUOTA });
    const complete = async (asked: object) => {
      const body = { model: 'default', prompt: 'hello', max_tokens: 20, ...asked };
      const answer = await post(`${platform.url}/v1/completions`, body, { authorization: `Bearer ${user}` });
      return {
        status: answer.status,
        body: (await answer.json()) as Record<'error' | 'usage', Record<string, unknown>>,
      };
    };
    platform.worker.onSubmit = (generation) => {
      for (let i = 0; i < 3; i++) generation.token(); // and no more
    };
    expect(await complete(extra)).toMatchObject({ status: 504, body: { error: { code: 'deadline_exceeded' } } });
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
    const promptTokens = platform.worker.generations[0]?.request.promptTokenIds.length ?? 0;
    const left = (await complete({ max_tokens: 100 })).body.usage['total_tokens'];
    expect(left).toBe(QUOTA - paid - (paid > 0 ? promptTokens : 0));
    await platform.stop();
  },
);
