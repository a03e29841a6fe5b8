import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminPlatform, startAdminPlatform } from '../test-support/admin-platform.js';

const HOSTILE: readonly [name: string, id: string, status: number][] = [
  ['of 256 characters', 'x'.repeat(256), 404],
  ['of 257 characters', 'x'.repeat(257), 400],
  ['of 513 characters', 'x'.repeat(513), 400],
  ['of 9,000 characters', 'x'.repeat(9_000), 400],
  ['of 9,000 characters that cannot be decoded', `${'x'.repeat(9_000)}%`, 400],
  ['with NUL', 'a%00', 400],
  ['with a line end', 'a%0d%0ab', 400],
  ['with an escape', '%1b%5b31m', 400],
  ['with a byte that is no UTF-8', '%ff', 400],
  ['with half a character', '%ed%a0%80', 400],
  ['with an unfinished escape', '%', 400],
  ['of other alphabets', '%F0%9F%98%80%E4%BD%A0', 404],
  ['with a slash', 'a%2Fb', 404],
];

const ROUTES: readonly [method: string, path: string, body?: object][] = [
  ['GET', 'traces/ID'],
  ['PATCH', 'tenants/ID', { state: 'active' }],
  ['GET', 'tenants/ID/accounts'],
  ['POST', 'tenants/ID/accounts', { name: 'x', roles: ['user'] }],
  ['PATCH', 'tenants/default/accounts/ID', { roles: ['user'] }],
  ['GET', 'tenants/ID/keys'],
  ['POST', 'tenants/default/keys/ID/rotate', {}],
  ['DELETE', 'tenants/default/keys/ID'],
  ['GET', 'tenants/ID/policies'],
  ['DELETE', 'tenants/default/policies/ID'],
  ['DELETE', 'policies/ID'],
  ['GET', 'tenants/ID/limits'],
  ['PUT', 'tenants/ID/limits', {}],
];

let administered: AdminPlatform;
beforeAll(async () => {
  administered = await startAdminPlatform();
});
afterAll(() => administered.platform.stop());

const ask = (method: string, path: string, body?: object) =>
  administered.ask(administered.operator, method, `admin/${path}`, body);

describe('ids in paths of administration', () => {
  it.each(HOSTILE)(
    'given one %s, then every route says shortly that it is none, or is not there',
    async (_, id, status) => {
      for (const [method, path, body] of ROUTES) {
        const answer = await ask(method, path.replace('ID', id), body);
        expect(answer, path).toMatchObject({ status, body: { error: { type: 'invalid_request_error' } } });
        expect(JSON.stringify(answer.body).length).toBeLessThan(600);
        if (status === 400) expect(answer.body.error.message).not.toMatch(/\p{Cc}/u);
      }
    },
  );

  it('given control characters in a query or a body, then they are refused before a database sees them', async () => {
    for (const [method, path, param, body] of [
      ['GET', 'tenants?after=%00', 'after'],
      ['GET', 'tenants/default/limits?after=%00/x', 'after'],
      ['GET', 'audit?tenant=%00', 'tenant'],
      ['POST', 'tenants/default/keys', 'account', { account: 'a\0' }],
      ['PUT', 'tenants/default/limits', 'key', { key: 'a\0', tokens_per_day: 1 }],
      ['PUT', 'tenants/default/limits', 'model', { model: 'a\0', tokens_per_day: 1 }],
    ] as const) {
      expect(await ask(method, path, body), path).toMatchObject({ status: 400, body: { error: { param } } });
    }
    for (const param of ['tenant', 'key', 'model']) {
      const answer = await administered.ask(administered.operator, 'GET', `usage?${param}=a%00`);
      expect(answer, param).toMatchObject({ status: 400, body: { error: { param } } });
    }
  });
});
