import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { credentials, Metadata } from '@grpc/grpc-js';
import { register } from 'prom-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { IdentityStore } from '#lib/auth';
import { CertificateFolder, certificateFiles } from '#lib/certificates';
import { GrpcStatusError } from '#lib/channels';
import { publicApi } from '#lib/contracts';
import { type Database, openDatabase } from '#lib/database';
import { startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

const ACTOR = { name: 'test', address: '' };
const DAY_MS = 86_400_000;
const DOMAIN = 'example.org';
/** Those of the test platform, with their aliases. */
const ALL_MODELS = 3;
const WITHIN = { timeout: 10_000 };

let path: string;
let otherPath: string;
let folder: CertificateFolder;
let database: Database;
let platform: TestPlatform;
let key: string;

beforeAll(async () => {
  path = mkdtempSync(join(tmpdir(), 'hydra-public-tls-'));
  otherPath = mkdtempSync(join(tmpdir(), 'hydra-public-tls-'));
  folder = new CertificateFolder(path, DOMAIN);
  await folder.ensure(['gateway']);
  for (const name of ['alice', 'stranger', 'suspended', 'intern']) await folder.issue('client', name);
  await new CertificateFolder(path, DOMAIN, () => Date.now() - 100 * DAY_MS).issue('client', 'expired');
  const other = new CertificateFolder(otherPath, DOMAIN);
  await other.init();
  await other.issue('client', 'alice');
  const url = `sqlite:${join(path, 'hydra.db')}`;
  database = await openDatabase(url);
  const store = new IdentityStore(database);
  for (const id of ['acme', 'asleep']) await store.tenants.create({ id, name: id }, ACTOR);
  await store.tenants.setState('asleep', 'suspended', ACTOR);
  await store.tenants.createAccount({ tenantId: 'acme', name: 'bot', roles: ['user'] }, ACTOR);
  const wish = { tenantId: 'acme', accountName: 'bot', scopes: ['inference'] as const, expiresAtMs: undefined };
  key = (await store.keys.create(wish, ACTOR)).text;
  const { certificateFile, keyFile, caFile } = certificateFiles(path, 'gateway');
  platform = await startTestPlatform({
    auth: {
      mode: 'required',
      clientCertificates: [
        { name: `URI:spiffe://${DOMAIN}/client/suspended`, tenant: 'asleep' },
        { name: `URI:spiffe://${DOMAIN}/client/intern`, tenant: 'acme', roles: ['nothing'] },
        { name: `URI:spiffe://${DOMAIN}/client/a*`, tenant: 'acme', scopes: ['inference'] },
      ],
    },
    database: { url },
    gateway: { tls: { certificateFile, keyFile, clientCaFile: caFile } },
    certificates: { reloadIntervalMs: 20 },
    expectReady: false,
  });
  await vi.waitFor(async () => expect((await ask({}, { path: '/health/ready' })).status).toBe(200), WITHIN);
});
beforeEach(() => {
  platform.worker.onSubmit = (generation) => void generation.runToEnd();
});
afterAll(async () => {
  await platform?.stop();
  await database.destroy();
  for (const each of [path, otherPath]) rmSync(each, { recursive: true, force: true });
});

const believed = () => readFileSync(join(path, 'ca.crt'));
const bearer = () => ({ authorization: `Bearer ${key}` });

/** Certificate and key of a client. */
function shown(name: string, at = path) {
  const { certificateFile, keyFile } = certificateFiles(at, 'client', name);
  return { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
}

/** A request over a connection of its own. */
function ask(headers: Record<string, string>, options: RequestOptions): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port: platform.httpPort, ca: believed(), agent: false, headers, ...options },
      (response) => void text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject),
    );
    sent.on('error', reject).end();
  });
}
const models = (headers: Record<string, string>, options: RequestOptions = {}) =>
  ask(headers, { path: '/v1/models', ...options });

async function grpcModels(pair: { cert?: Buffer; key?: Buffer }, authorization?: string): Promise<number | string> {
  const channel = credentials.createSsl(believed(), pair.key ?? null, pair.cert ?? null);
  const client = new publicApi.InferenceClient(`localhost:${platform.gateway.grpcPort}`, channel);
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set('authorization', authorization);
  return new Promise<number | string>((resolve) => {
    client.listModels({}, metadata, { deadline: Date.now() + 10_000 }, (error, answer) => {
      resolve(error ? GrpcStatusError.from(error).codeName : answer.models.length);
    });
  }).finally(() => client.close());
}

async function refused(): Promise<Record<string, number>> {
  const { values } = (await register.getSingleMetric('hydra_tls_refused_total')?.get()) ?? { values: [] };
  return Object.fromEntries(values.map(({ labels, value }) => [labels['reason'], value]));
}

describe('the gateway behind its own TLS', () => {
  it('given a key and no certificate, then it is let in over REST and gRPC; without either nobody is', async () => {
    expect((await models(bearer())).status).toBe(200);
    expect(await grpcModels({}, `Bearer ${key}`)).toBe(ALL_MODELS);
    expect((await models({})).status).toBe(401);
    expect(await grpcModels({})).toBe('UNAUTHENTICATED');
  });

  it('given a certificate that is known and no key, then it is its tenant, with its roles and scopes, over REST and gRPC', async () => {
    const { status: answered, body } = await models({}, shown('alice'));
    expect(answered).toBe(200);
    expect(JSON.parse(body).data).toHaveLength(ALL_MODELS);
    expect(await grpcModels(shown('alice'))).toBe(ALL_MODELS);
    expect((await models({}, { ...shown('alice'), path: '/metrics' })).status).toBe(403);
    expect(JSON.parse((await models({}, shown('intern'))).body).data).toEqual([]);
    expect(await grpcModels(shown('intern'))).toBe(0);
  });

  it('given a good certificate and a bad key, then the key counts', async () => {
    const wrong = `Bearer ${key.slice(0, -4)}AAAA`;
    expect((await models({ authorization: wrong }, shown('alice'))).status).toBe(401);
    expect(await grpcModels(shown('alice'), wrong)).toBe('UNAUTHENTICATED');
  });

  it('given a certificate that nobody is known by, or of a suspended tenant, then it is as if none had come', async () => {
    for (const name of ['stranger', 'suspended']) {
      const { status: answered, body } = await models({}, shown(name));
      expect([answered, JSON.parse(body).error.code]).toEqual([401, 'invalid_api_key']);
      expect(await grpcModels(shown(name))).toBe('UNAUTHENTICATED');
      expect((await models(bearer(), shown(name))).status).toBe(200);
    }
  });

  it('given a certificate of another authority, one that has expired, or no TLS, then the connection is refused and counted', async () => {
    const before = await refused();
    await expect(models(bearer(), shown('alice', otherPath))).rejects.toThrow();
    await expect(models(bearer(), shown('expired'))).rejects.toThrow();
    expect(await grpcModels(shown('expired'), `Bearer ${key}`)).toBe('UNAVAILABLE');
    await expect(
      new Promise((_resolve, reject) => {
        plainRequest({ host: '127.0.0.1', port: platform.httpPort, headers: bearer() }).on('error', reject).end();
      }),
    ).rejects.toThrow();
    const after = await refused();
    const grown = Object.keys(after).filter((reason) => (after[reason] ?? 0) > (before[reason] ?? 0));
    expect(grown.sort()).toEqual(['expired', 'plaintext', 'unknown-authority']);
  });

  it('given new certificates, then new connections get them, and a stream that runs goes on', async () => {
    let finish = () => {};
    platform.worker.onSubmit = (generation) => {
      finish = () => void generation.runToEnd();
    };
    const body = JSON.stringify({ model: 'default', prompt: 'hello', max_tokens: 2, stream: true });
    const stream = new Promise<string>((resolve, reject) => {
      const headers = { ...bearer(), 'content-type': 'application/json' };
      const options = { host: '127.0.0.1', port: platform.httpPort, ca: believed(), agent: false, headers };
      request({ ...options, path: '/v1/completions', method: 'POST' }, (response) => {
        void text(response).then(resolve, reject);
      })
        .on('error', reject)
        .end(body);
    });
    await vi.waitFor(() => expect(platform.worker.generations.length).toBeGreaterThan(0), WITHIN);
    const before = await serial(platform.httpPort);
    await folder.issue('gateway', 'default', { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] });
    await vi.waitFor(async () => expect(await serial(platform.httpPort)).not.toBe(before), WITHIN);
    await vi.waitFor(async () => expect(await serial(platform.gateway.grpcPort)).not.toBe(before), WITHIN);
    finish();
    expect(await stream).toContain('data: [DONE]');
  });

  /** Of the certificate that the server shows. */
  function serial(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', ca: believed(), ALPNProtocols: ['h2', 'http/1.1'] }, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      }).on('error', reject);
    });
  }
});

it('given files that cannot be used, when a gateway starts, then it ends and names the file', async () => {
  const tls = { certificateFile: join(path, 'gateway.crt'), keyFile: join(path, 'ca.key') };
  await expect(startTestPlatform({ gateway: { tls }, expectReady: false })).rejects.toThrow(
    `gateway.tls: ${tls.keyFile}: it does not belong to ${tls.certificateFile}`,
  );
});
