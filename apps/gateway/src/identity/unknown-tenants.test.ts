import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { IdentityStore } from '#lib/auth';
import { hydraSchema } from '#lib/config';
import { openDatabase } from '#lib/database';
import { openIdentity } from './identity.js';
import { tellUnknownTenants } from './unknown-tenants.js';

const ACTOR = { name: 'test', address: '' };

function listener() {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { lines, logger };
}

it('given rules for certificates, when the gateway starts, then those of tenants that are not there, or are suspended, are warned of', async () => {
  const url = `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-unknown-')), 'hydra.db')}`;
  const database = await openDatabase(url);
  const store = new IdentityStore(database);
  for (const id of ['acme', 'asleep']) await store.tenants.create({ id, name: id }, ACTOR);
  await store.tenants.setState('asleep', 'suspended', ACTOR);
  await database.destroy();
  const clientCertificates = [
    { name: 'DNS:a', tenant: 'acme' },
    { name: 'DNS:b', tenant: 'nobody' },
    { name: 'DNS:c', tenant: 'asleep' },
    { name: 'DNS:d', tenant: 'nobody' },
  ];
  const config = hydraSchema.parse({
    models: [{ id: 'm' }],
    auth: { mode: 'required', clientCertificates },
    database: { url },
  });
  const { lines, logger } = listener();
  const identity = await openIdentity(config, logger);
  await identity.close();
  const msg = expect.stringContaining('auth.clientCertificates names a tenant');
  expect(lines).toMatchObject([
    { msg, tenant_id: 'nobody', certificates: ['DNS:b', 'DNS:d'] },
    { msg, tenant_id: 'asleep', certificates: ['DNS:c'] },
  ]);
});

it('given good tokens of unknown tenants, then each issuer is warned of once a minute, however many come', () => {
  const { lines, logger } = listener();
  let nowMs = 0;
  const tell = tellUnknownTenants(logger, () => nowMs);
  const mappingOf = (issuer: string) => ({ issuer, tenantClaim: 'org', rolesClaim: 'roles', roles: [], scopes: [] });
  for (let i = 0; i < 1_000; i++) tell(mappingOf('https://a'), 'x'.repeat(1_000));
  tell(mappingOf('https://b'), undefined);
  nowMs = 60_000;
  tell(mappingOf('https://a'), 'next');
  expect(lines).toMatchObject([
    { issuer: 'https://a', claim: 'org', tenant_id: 'x'.repeat(64) },
    { issuer: 'https://b', msg: expect.stringContaining('names no tenant') },
    { issuer: 'https://a', tenant_id: 'next' },
  ]);
});
