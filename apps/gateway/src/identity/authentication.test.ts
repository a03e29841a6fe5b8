import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { IdentityStore, type Scope } from '#lib/auth';
import { GrpcStatusError } from '#lib/channels';
import { publicApi } from '#lib/contracts';
import { type Database, openDatabase } from '#lib/database';
import { cacheSaltOf } from '../completion/cache-salt.js';
import { RawClient } from '../test-support/raw-client.js';
import { post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

const ACTOR = { name: 'test', address: '' };
const url = `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-gateway-')), 'hydra.db')}`;
const timeoutMs = 10_000;

let database: Database;
let store: IdentityStore;
let platform: TestPlatform;
let client: publicApi.InferenceClient;
/** By name of the account. */
let keys: Record<string, string>;

beforeAll(async () => {
  database = await openDatabase(url);
  store = new IdentityStore(database);
  for (const id of ['acme', 'other']) await store.tenants.create({ id, name: id }, ACTOR);
  keys = {
    user: await makeKey('acme', 'user', ['user'], ['inference']),
    other: await makeKey('other', 'other', ['user'], ['inference']),
    intern: await makeKey('acme', 'intern', ['intern'], ['inference']),
    nobody: await makeKey('acme', 'nobody', [], ['inference']),
    metrics: await makeKey('acme', 'metrics', [], ['metrics']),
  };
  await store.policies.create(
    {
      ...{ tenantId: 'acme', role: 'intern', actions: ['use'], models: ['test-*'] },
      caps: { contextTokens: 50, maxTokens: 5, choices: 1, priority: 0 },
    },
    ACTOR,
  );
  platform = await startTestPlatform({
    auth: { mode: 'required', freeFailures: 1_000, refreshIntervalMs: 20 },
    database: { url },
    gateway: { trustedProxies: ['127.0.0.1'], corsOrigins: ['https://app.example'] },
  });
  client = new publicApi.InferenceClient(platform.grpcTarget, credentials.createInsecure());
});
beforeEach(() => {
  platform.worker.onSubmit = (generation) => void generation.runToEnd();
  platform.worker.generations.length = 0;
});
afterAll(async () => {
  client.close();
  await platform.stop();
  await database.destroy();
});

async function makeKey(tenantId: string, name: string, roles: string[], scopes: Scope[]): Promise<string> {
  await store.tenants.createAccount({ tenantId, name, roles }, ACTOR);
  return (await store.keys.create({ tenantId, accountName: name, scopes, expiresAtMs: undefined }, ACTOR)).text;
}
const bearer = (name: string) => ({ authorization: `Bearer ${keys[name]}` });
const completion = { model: 'default', prompt: 'hello', max_tokens: 2 };
const complete = (headers: Record<string, string>, extra: object = {}) =>
  post(`${platform.url}/v1/completions`, { ...completion, ...extra }, headers);
const bodyOf = async (response: Response) => (await response.json()) as { error: { code: string; message: string } };

function grpcComplete(authorization: string | undefined, model = 'default'): Promise<publicApi.CompletionResponse> {
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set('authorization', authorization);
  const request = publicApi.CompletionRequest.fromPartial({
    ...{ model, prompts: [{ value: { $case: 'text', value: 'hello' } }], options: { maxTokens: 2 } },
  });
  return new Promise((resolve, reject) =>
    client.complete(request, metadata, { deadline: Date.now() + timeoutMs }, (error, response) =>
      error ? reject(error) : resolve(response as publicApi.CompletionResponse),
    ),
  );
}

describe('who comes in', () => {
  it('given a good key, when asked over REST and gRPC, then it is answered for its tenant and under its salt', async () => {
    expect((await complete(bearer('user'))).status).toBe(200);
    await grpcComplete(bearer('user').authorization);
    await complete(bearer('other'));
    const [rest, grpc, other] = platform.worker.generations.map(({ request }) => request);
    const { cacheSalt } = (await store.tenants.find('acme')) as { cacheSalt: string };
    expect([rest?.tenantId, grpc?.tenantId, other?.tenantId]).toEqual(['acme', 'acme', 'other']);
    const ofTenant = Buffer.from(cacheSaltOf(cacheSalt, undefined)).toString('hex');
    const hex = (salt: Uint8Array | undefined) => Buffer.from(salt ?? []).toString('hex');
    expect([hex(rest?.cacheSalt), hex(grpc?.cacheSalt)]).toEqual([ofTenant, ofTenant]);
    expect(hex(other?.cacheSalt)).not.toBe(ofTenant);
  });

  it.each([
    ['nothing', undefined],
    ['an empty header', ''],
    ['another scheme', 'Basic dXNlcjpwYXNz'],
    ['no token', 'Bearer'],
    ['a key that does not exist', `Bearer hydra_abcdefghijkl_${'x'.repeat(43)}`],
    ['a token without a signature', `Bearer ${btoa('{"alg":"none"}')}.${btoa('{"tenant":"acme"}')}.`],
    ['a token of 12 kB', `Bearer ${'a'.repeat(12_000)}.b.c`],
    ['something long', `Bearer ${'x'.repeat(10_000)}`],
  ])(
    'given %s, when asked over REST and gRPC, then nobody is let in and no worker hears of it',
    async (_, authorization) => {
      const response = await complete(authorization === undefined ? {} : { authorization });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect((await bodyOf(response)).error).toMatchObject({ code: 'invalid_api_key', type: 'invalid_request_error' });
      const error = await grpcComplete(authorization).catch((caught: GrpcStatusError) => caught);
      expect(error).toMatchObject({ code: status.UNAUTHENTICATED });
      expect((error as { metadata?: Metadata }).metadata?.get('hydra-error-code')).toEqual(['invalid_api_key']);
      expect(platform.worker.generations).toEqual([]);
    },
  );

  it('given a wrong key, then the answer has nothing of it', async () => {
    const secret = keys['user']?.replace(/.{5}$/, 'AAAAA') ?? '';
    const text = await (await complete({ authorization: `Bearer ${secret}` })).text();
    expect(text).not.toContain(secret.slice(6, 18));
  });

  it('given a body that waits to be asked for, then it is, when the key is good, and never when it is bad', async () => {
    const send = (key: string, body: string) => {
      const client = new RawClient(platform.httpPort);
      const head = `POST /v1/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n`;
      client.send(`${head}Content-Length: ${body.length}\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n`);
      return client;
    };
    const body = JSON.stringify(completion);
    expect(await send('bad', body).closed()).toMatch(/^HTTP\/1\.1 401 /);
    const good = send(keys['user'] as string, body);
    await good.has('HTTP/1.1 100 Continue\r\n\r\n');
    good.send(body);
    expect(await good.closed()).toContain('HTTP/1.1 200 OK');
  });

  it('given a body that never comes, when the key is bad, then the answer does not wait for it', async () => {
    const socket = connect(platform.httpPort, '127.0.0.1');
    socket.write(
      'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{',
    );
    const [head] = await new Promise<string[]>((resolve) => socket.once('data', (bytes) => resolve([String(bytes)])));
    expect(head).toMatch(/^HTTP\/1\.1 401 /);
    socket.destroy();
  });

  it.each([
    '/v1/models',
    '/v1/models/default',
    '/metrics',
    '/nowhere',
    '/v1/nowhere',
    '/%6Detrics',
    '/metrics/',
    '//metrics',
  ])('given no key, when %s is asked for, then it is 401, whether it exists or not', async (path) => {
    expect((await fetch(`${platform.url}${path}`)).status).toBe(401);
  });

  it.each(['/health', '/health/live', '/health/ready', '/health/startup', '/docs', '/openapi.json'])(
    'given no key, when %s is asked for, then it is open',
    async (path) => {
      expect((await fetch(`${platform.url}${path}`)).status).toBe(200);
    },
  );

  it.each(['/metrics', '/%6Detrics', '/%6d%65trics'])(
    'given a key for inference, when %s is asked for, then its scope does not do',
    async (path) => {
      const response = await fetch(`${platform.url}${path}`, { headers: bearer('user') });
      expect(response.status).toBe(403);
      expect((await bodyOf(response)).error.code).toBe('insufficient_permissions');
      expect((await fetch(`${platform.url}${path}`, { headers: bearer('metrics') })).status).toBe(200);
      expect((await complete(bearer('metrics'))).status).toBe(403);
    },
  );

  it("given a browser's preflight, then it is answered without a key; the request itself is not", async () => {
    const origin = 'https://app.example';
    const preflight = await fetch(`${platform.url}/v1/completions`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, origin]);
    expect((await complete({ origin })).status).toBe(401);
  });

  it('given the health service of gRPC, then it is open; reflection is not', async () => {
    const raw = new Client(platform.grpcTarget, credentials.createInsecure());
    const bytes = (value: Buffer) => value;
    const call = (path: string) =>
      new Promise((resolve) =>
        raw.makeUnaryRequest(path, bytes, bytes, Buffer.alloc(0), (error) => resolve(error?.code ?? status.OK)),
      );
    expect(await call('/grpc.health.v1.Health/Check')).toBe(status.OK);
    const reflection = raw.makeBidiStreamRequest(
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      bytes,
      bytes,
    );
    const code = await new Promise((resolve) =>
      reflection.once('error', (error) => resolve((error as GrpcStatusError).code)),
    );
    expect(code).toBe(status.UNAUTHENTICATED);
    raw.close();
  });

  it('given a key that is revoked, then soon no gateway lets it in', async () => {
    const text = await makeKey('acme', 'leaver', ['user'], ['inference']);
    const headers = { authorization: `Bearer ${text}` };
    expect((await complete(headers)).status).toBe(200);
    await store.keys.revoke('acme', text.slice(6, 18), 0, ACTOR);
    await vi.waitFor(async () => expect((await complete(headers)).status).toBe(401), timeoutMs);
  });
});

describe('what is of another tenant', () => {
  it('given another tenant with the same key and the same request, then its answer is generated anew', async () => {
    const ask = (name: string) => complete({ ...bearer(name), 'idempotency-key': 'the-same' });
    const text = await (await ask('user')).text();
    const again = await ask('user');
    expect([again.status, again.headers.get('idempotent-replayed'), await again.text()]).toEqual([200, 'true', text]);
    const other = await ask('other');
    expect([other.status, other.headers.get('idempotent-replayed')]).toEqual([200, null]);
    expect(await other.text()).not.toBe(text);
    expect(platform.worker.generations).toHaveLength(2);
  });

  it('given a key of the same tenant that may not use the model, then the answer of another key is not given again', async () => {
    const ask = (name: string, extra: object = {}) =>
      complete({ ...bearer(name), 'idempotency-key': 'governed' }, extra);
    expect((await ask('user', { max_tokens: 6 })).status).toBe(200);
    const denied = await ask('nobody', { max_tokens: 6 });
    const unknown = await complete({ ...bearer('nobody'), 'idempotency-key': 'none' }, { model: 'no-such-model' });
    expect([denied.status, denied.headers.get('idempotent-replayed')]).toEqual([404, null]);
    const text = JSON.stringify(await unknown.json());
    expect(JSON.stringify(await denied.json())).toBe(text.replace('no-such-model', 'default'));
    expect((await ask('intern', { max_tokens: 6 })).status).toBe(400); // above its cap
    expect((await ask('user', { max_tokens: 6 })).headers.get('idempotent-replayed')).toBe('true');
  });
});

describe('which models', () => {
  const models = async (name: string) => {
    const response = await fetch(`${platform.url}/v1/models`, { headers: bearer(name) });
    return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
  };

  it('given roles, then the list shows what they may use', async () => {
    expect(await models('user')).toEqual(['test-model', 'default', 'org/Some-Model-7B']);
    expect(await models('intern')).toEqual(['test-model', 'default', 'org/Some-Model-7B']);
    expect(await models('nobody')).toEqual([]);
  });

  it('given a model that may not be used, then every answer is that of a model that does not exist', async () => {
    for (const model of ['test-model', 'org/Some-Model-7B', 'sleeping-model']) {
      const denied = await complete(bearer('nobody'), { model });
      const unknown = await complete(bearer('user'), { model: 'no/such' });
      expect(denied.status).toBe(404);
      const message = (await bodyOf(unknown)).error.message;
      expect((await bodyOf(denied)).error.message).toBe(message.replace('no/such', model));
      const found = await fetch(`${platform.url}/v1/models/${model}`, { headers: bearer('nobody') });
      expect(found.status).toBe(404);
      await expect(grpcComplete(bearer('nobody').authorization, model)).rejects.toMatchObject({
        code: status.NOT_FOUND,
      });
    }
    const embeddings = await post(`${platform.url}/v1/embeddings`, { model: 'default', input: 'x' }, bearer('nobody'));
    expect(embeddings.status).toBe(404);
    expect((await complete(bearer('intern'), { model: 'sleeping-model' })).status).toBe(404);
    expect((await complete(bearer('user'), { model: 'sleeping-model' })).status).toBe(503);
  });

  it.each([
    ['max_tokens', { max_tokens: 6 }],
    ['min_tokens', { max_tokens: undefined, min_tokens: 6 }],
    ['n', { n: 2 }],
    ['priority', { priority: 1 }],
    ['prompt', { prompt: 'x'.repeat(60) }],
  ])('given more than the cap of %s, then it is named', async (param, extra) => {
    const response = await complete(bearer('intern'), extra);
    expect(response.status).toBe(400);
    expect((await bodyOf(response)).error).toMatchObject({ param });
    expect((await complete(bearer('user'), extra)).status).toBe(200);
  });

  it('given no max_tokens, then the cap is what is generated at most', async () => {
    const chat = { model: 'default', messages: [{ role: 'user', content: 'hi' }] };
    await post(`${platform.url}/v1/chat/completions`, chat, bearer('intern'));
    expect(platform.worker.generations[0]?.request.stop?.maxTokens).toBe(5);
  });
});

describe('guessing', () => {
  it('given bad keys from one address, then it waits with 429, and the addresses of others do not', async () => {
    const strict = await startTestPlatform({
      auth: { mode: 'required', freeFailures: 2 },
      database: { url },
      gateway: { trustedProxies: ['127.0.0.1'] },
    });
    const ask = (address: string, authorization: string) =>
      post(`${strict.url}/v1/completions`, completion, { authorization, 'x-forwarded-for': address });
    const guess = `Bearer hydra_abcdefghijkl_${'x'.repeat(43)}`;
    const codes = [];
    for (let i = 0; i < 3; i++) codes.push((await ask('192.0.2.1', guess)).status);
    expect(codes).toEqual([401, 401, 401]);
    const slowed = await ask('192.0.2.1', guess);
    expect(slowed.status).toBe(429);
    expect(Number(slowed.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await bodyOf(slowed)).error).toMatchObject({ code: 'rate_limit_exceeded', type: 'requests' });
    expect((await ask('192.0.2.2', `Bearer ${keys['user']}`)).status).toBe(200);
    await strict.stop();
  });
});
