import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminPlatform, idOf, startAdminPlatform } from '../test-support/admin-platform.js';
import { post } from '../test-support/test-platform.js';

/** What holds of the limits of keys that are rotated, wherever they are counted. @param limits  settings of `limits` */
export function describeRotatedKeys(name: string, limits: () => Promise<object>): void {
  describe(`limits of a key that is rotated, counted in ${name}`, () => {
    let administered: AdminPlatform;
    let tenantCount = 0;
    beforeAll(async () => {
      administered = await startAdminPlatform({ limits: { sliceTokens: 1, ...(await limits()) } });
      administered.platform.worker.onSubmit = (generation) => void generation.runToEnd();
    });
    afterAll(() => administered.platform.stop());

    const limitedKey = async (of: object) => {
      const tenant = `rotated-${tenantCount++}`;
      const { user } = await administered.makeTenant(tenant);
      const limit = async (key: string, values: object) => {
        const path = `admin/tenants/${tenant}/limits`;
        const answer = await administered.ask(administered.operator, 'PUT', path, { key: idOf(key), ...values });
        expect(answer.status).toBe(200);
      };
      await limit(user, of);
      const rotate = async (key: string): Promise<string> => {
        const path = `admin/tenants/${tenant}/keys/${idOf(key)}/rotate`;
        return (await administered.ask(administered.operator, 'POST', path, {})).body.key;
      };
      return { user, limit, rotate };
    };
    const complete = async (key: string): Promise<{ status: number; usedTokens: number; code: string | undefined }> => {
      const body = { model: 'default', prompt: 'hello', max_tokens: 1 };
      const response = await post(`${administered.platform.url}/v1/completions`, body, {
        authorization: `Bearer ${key}`,
      });
      const { usage, error } = (await response.json()) as {
        usage?: { total_tokens: number };
        error?: { code: string };
      };
      return { status: response.status, usedTokens: usage?.total_tokens ?? 0, code: error?.code };
    };

    it('given a quota that is used up, when the key is rotated twice, then its successors have none left; of one that is raised, exactly the rest', async () => {
      const { user, limit, rotate } = await limitedKey({ tokens_per_day: 20 });
      let used = 0;
      let each = 0;
      for (;;) {
        const { status, usedTokens, code } = await complete(user);
        if (status !== 200) {
          expect(code).toBe('insufficient_quota');
          break;
        }
        used += usedTokens;
        each = usedTokens;
      }
      expect(used).toBeLessThanOrEqual(20);
      expect(used + each).toBeGreaterThan(20);
      const second = await rotate(user);
      const third = await rotate(second);
      for (const key of [second, third]) expect(await complete(key)).toMatchObject({ code: 'insufficient_quota' });
      await limit(third, { tokens_per_day: used + each - 1 });
      expect(await complete(second)).toMatchObject({ code: 'insufficient_quota' });
      await limit(third, { tokens_per_day: used + each });
      expect((await complete(third)).status).toBe(200);
      for (const key of [user, second, third])
        expect(await complete(key)).toMatchObject({ code: 'insufficient_quota' });
    });

    it('given requests by the minute, then both keys of an overlap count in one window', async () => {
      const { user, rotate } = await limitedKey({ requests_per_minute: 2 });
      const next = await rotate(user);
      expect([(await complete(user)).status, (await complete(next)).status]).toEqual([200, 200]);
      for (const key of [user, next]) expect(await complete(key)).toMatchObject({ code: 'rate_limit_exceeded' });
    });
  });
}
