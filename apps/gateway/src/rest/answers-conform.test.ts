import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeviceResource } from '../fleet/fleet-resource.js';
import { type AdminPlatform, idOf, startAdminPlatform } from '../test-support/admin-platform.js';
import { post } from '../test-support/test-platform.js';

const ajv = new Ajv2020({ strict: false, validateFormats: false });
let administered: AdminPlatform;
let user: string;
beforeAll(async () => {
  administered = await startAdminPlatform({ price: { input: 1, output: 2 } });
  const { operator, ask, makeTenant, platform } = administered;
  platform.worker.onSubmit = (generation) => void generation.runToEnd();
  ({ user } = await makeTenant('acme'));
  ajv.addSchema((await (await fetch(`${platform.url}/openapi.json`)).json()) as object, 'document');
  for (const model of ['default', 'no-such-model']) {
    await post(
      `${platform.url}/v1/completions`,
      { model, prompt: 'hi', max_tokens: 2 },
      { authorization: `Bearer ${operator}`, 'x-request-id': `of-${model}` },
    );
  }
  await ask(operator, 'POST', 'admin/policies', { role: 'user', models: ['*'] });
});
afterAll(() => administered.platform.stop());

/** What is wrong with an answer by the document. @param path  as the document has it, below `/v1/` */
function violations(path: string, method: string, { status, body }: { status: number; body: unknown }): unknown {
  const steps = ['paths', `/v1/${path}`, method.toLowerCase(), 'responses', String(status), 'content'];
  const pointer = [...steps, 'application/json', 'schema'].map((step) =>
    encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')),
  );
  const validate = ajv.compile({ $ref: `document#/${pointer.join('/')}` });
  return validate(body) ? [] : validate.errors;
}

describe('answers of routes that Nest describes', () => {
  // Ajv minds `nullable` all the same, other validators do not.
  it('given the document, then nothing in it is said in words of OpenAPI 3.0', async () => {
    const text = await (await fetch(`${administered.platform.url}/openapi.json`)).text();
    expect(text).not.toContain('nullable');
    expect(text).toContain('["integer","null"]');
  });

  it.each<[method: string, path: string, body: object, status: number]>([
    ['POST', 'admin/tenants', { id: 'next', name: 'x' }, 201],
    ['POST', 'admin/tenants/{tenant}/accounts', { name: 'bot', roles: ['user'] }, 201],
    ['POST', 'admin/tenants/{tenant}/keys', { account: 'user' }, 201],
    ['POST', 'admin/tenants/{tenant}/keys', { account: 'user', expires_at: 4_000_000_000 }, 201],
    ['POST', 'admin/tenants/{tenant}/keys/{id}/rotate', { overlap_s: 60 }, 201],
    ['POST', 'admin/policies', { role: 'intern', models: ['*'] }, 201],
    ['POST', 'admin/tenants/{tenant}/policies', { role: 'intern', models: ['*'], caps: { choices: 1 } }, 201],
    ['PUT', 'admin/tenants/{tenant}/limits', { tokens_per_day: 1_000_000 }, 200],
    ['PUT', 'admin/tenants/{tenant}/limits', { model: 'test-model', tokens_per_day: 1_000_000 }, 200],
    ['PUT', 'admin/log-level', { level: 'silent', app: 'gateway' }, 200],
    ['GET', 'admin/tenants', {}, 200],
    ['GET', 'admin/tenants/{tenant}/accounts', {}, 200],
    ['GET', 'admin/tenants/{tenant}/keys', {}, 200],
    ['GET', 'admin/tenants/{tenant}/policies', {}, 200],
    ['GET', 'admin/tenants/{tenant}/limits', {}, 200],
    ['GET', 'admin/audit', {}, 200],
    ['GET', 'fleet', {}, 200],
    ['GET', 'usage', {}, 200],
    ['GET', 'me', {}, 200],
  ])('given %s /v1/%s, then its answer is as the document says', async (method, path, body, status) => {
    const { operator, ask } = administered;
    const target = path.replace('{tenant}', 'acme').replace('{id}', idOf(user));
    const answer = await ask(operator, method, target, method === 'GET' ? undefined : body);
    expect(answer.status).toBe(status);
    expect(violations(path, method, answer)).toEqual([]);
  });

  it.each(['of-default', 'of-no-such-model'])('given the story of %s, then it is as the document says', async (id) => {
    const answer = await administered.ask(administered.operator, 'GET', `admin/traces/${id}`);
    expect(answer.body.spans.length).toBeGreaterThan(0);
    expect(violations('admin/traces/{id}', 'GET', answer)).toEqual([]);
  });

  it('given a device of which nothing is known, then it is as the document says', () => {
    const device = new DeviceResource({ kind: 'cpu', index: 0, name: 'x', memoryBytes: 0 }, undefined);
    const validate = ajv.compile({ $ref: 'document#/components/schemas/DeviceResource' });
    expect(validate({ ...device }) ? [] : validate.errors).toEqual([]);
    expect(device.power_watts).toBeNull();
  });

  it('given answers that the document does not allow, then they are found out', () => {
    expect(violations('me', 'GET', { status: 200, body: {} })).not.toEqual([]);
    const key = { object: 'api_key', expires_at: 'never' };
    const body = { object: 'list', data: [key] };
    expect(violations('admin/tenants/{tenant}/keys', 'GET', { status: 200, body })).not.toEqual([]);
  });
});
