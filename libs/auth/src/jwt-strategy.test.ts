import { generateKeyPairSync } from 'node:crypto';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Database, openDatabase } from '#lib/database';
import { Authenticator } from './authenticator.js';
import { FailureThrottle } from './failure-throttle.js';
import { IdentityDirectory } from './identity-directory.js';
import { IdentityStore } from './identity-store.js';
import { JwtStrategy } from './jwt-strategy.js';
import { JwtVerifier } from './jwt-verifier.js';
import type { Scope } from './principal.js';

const PAIR = generateKeyPairSync('ed25519');
const ISSUER = { issuer: 'https://issuer.example', audience: 'hydra', algorithms: ['EdDSA'], clockSkewMs: 0 };

let database: Database;
let directory: IdentityDirectory;
beforeEach(async () => {
  database = await openDatabase('sqlite::memory:');
  const store = new IdentityStore(database);
  await store.tenants.create({ id: 'acme', name: 'acme' }, { name: 'test', address: '' });
  directory = new IdentityDirectory(store, { entries: 10, refreshIntervalMs: 60_000, outageGraceMs: 0 });
  await directory.sync();
});
afterEach(() => database.destroy());

const unknown: (string | undefined)[] = [];

async function principalOf(claims: JWTPayload, scopes: readonly Scope[], roles: readonly string[] = ['user']) {
  const keySet = { keys: [{ ...(await exportJWK(PAIR.publicKey)), alg: 'EdDSA' }] };
  const verifier = new JwtVerifier([{ ...ISSUER, keys: { kind: 'static', keySet } }]);
  const mapping = { issuer: ISSUER.issuer, tenantClaim: 'tenant', rolesClaim: 'roles', roles, scopes };
  const strategies = [new JwtStrategy(verifier, [mapping], directory, (_, tenantId) => unknown.push(tenantId))];
  const authenticator = new Authenticator(strategies, new FailureThrottle({ freeFailures: 10 }));
  const token = await new SignJWT({ tenant: 'acme', ...claims })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setIssuer(ISSUER.issuer)
    .setAudience(ISSUER.audience)
    .setSubject('someone')
    .setExpirationTime('5m')
    .sign(PAIR.privateKey);
  return authenticator.authenticate({ authorization: `Bearer ${token}`, certificateNames: [], address: 'a' });
}

it('given a token with roles and scopes that its issuer may not give, then these are dropped', async () => {
  const claims = { scope: 'metrics inference admin email', roles: ['operator', 'user'] };
  expect(await principalOf(claims, ['inference', 'usage', 'admin'])).toMatchObject({
    ...{ tenantId: 'acme', subject: 'someone', roles: ['user'], scopes: ['inference', 'admin'] },
  });
  expect((await principalOf(claims, ['metrics'])).scopes).toEqual(['metrics']);
});

it('given a token without scopes, then they are the usual ones, as far as its issuer may give them', async () => {
  expect((await principalOf({}, ['inference', 'usage', 'admin'])).scopes).toEqual(['inference', 'usage']);
  expect((await principalOf({}, ['inference'])).scopes).toEqual(['inference']);
});

it('given a good token of a tenant that is not there, or of none, then nobody is let in, and it is told', async () => {
  for (const tenant of ['nobody', 7]) await expect(principalOf({ tenant }, ['inference'])).rejects.toThrow();
  expect((await principalOf({}, ['inference'])).tenantId).toBe('acme');
  expect(unknown).toEqual(['nobody', undefined]);
});
