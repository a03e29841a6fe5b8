import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AuthenticationError } from './errors.js';
import { type JwtKeys, JwtVerifier } from './jwt-verifier.js';

const ISSUER = 'https://issuer.example';
const AUDIENCE = 'hydra';
const PAIRS = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
};
const STRANGER = generateKeyPairSync('ed25519');
type Algorithm = keyof typeof PAIRS;

const at = { ms: Date.parse('2026-11-28T12:00:00Z') };
const seconds = () => Math.floor(at.ms / 1_000);
const claims = (given: JWTPayload = {}): JWTPayload => ({
  ...{ iss: ISSUER, aud: AUDIENCE, sub: 'someone', exp: seconds() + 300, tenant: 'acme' },
  ...given,
});
const sign = (
  payload: JWTPayload,
  alg: Algorithm = 'EdDSA',
  key: KeyObject = PAIRS[alg].privateKey,
  kid: string = alg,
) => new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(key);
const keySet = async (...algorithms: Algorithm[]) => ({
  keys: await Promise.all(
    algorithms.map(async (alg) => ({ ...(await exportJWK(PAIRS[alg].publicKey)), kid: alg, alg, use: 'sig' })),
  ),
});
const verifierOf = (keys: JwtKeys, algorithms: string[] = ['RS256', 'ES256', 'EdDSA']) =>
  new JwtVerifier([{ issuer: ISSUER, audience: AUDIENCE, keys, algorithms, clockSkewMs: 5_000 }], () => at.ms);
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('tokens against static keys', () => {
  let verifier: JwtVerifier;
  beforeEach(async () => {
    verifier = verifierOf({ kind: 'static', keySet: await keySet('RS256', 'ES256', 'EdDSA') });
  });

  it.each(['RS256', 'ES256', 'EdDSA'] as const)(
    'given a good token signed with %s, then its claims come',
    async (alg) => {
      const verified = await verifier.verify(await sign(claims(), alg));
      expect(verified?.claims).toMatchObject({ sub: 'someone', tenant: 'acme' });
    },
  );

  it.each<[string, JWTPayload]>([
    ['expired beyond the skew', { exp: seconds() - 6 }],
    ['without an expiry', { exp: undefined }],
    ['without a subject', { sub: undefined }],
    ['not yet good', { nbf: seconds() + 60 }],
    ['for another audience', { aud: 'others' }],
    ['without an audience', { aud: undefined }],
    ['of another issuer', { iss: 'https://evil.example' }],
    ['whose subject is no text', { sub: { name: 'x' } as unknown as string }],
    ['whose subject is a number', { sub: 5 as unknown as string }],
    ['whose subject is empty', { sub: '' }],
    ['with an expiry that is no number', { exp: 'never' as unknown as number }],
  ])('given a token %s, then it is refused', async (_, given) => {
    expect(await verifier.verify(await sign(claims(given)))).toBeUndefined();
  });

  it('given a token that just expired within the skew, then it is still good', async () => {
    expect(await verifier.verify(await sign(claims({ exp: seconds() - 4 })))).toBeDefined();
  });

  it('given the signature of a stranger under a known key id, then it is refused', async () => {
    expect(await verifier.verify(await sign(claims(), 'EdDSA', STRANGER.privateKey))).toBeUndefined();
  });

  it('given alg none in any spelling, then it is refused', async () => {
    for (const alg of ['none', 'None', 'NONE', '']) {
      for (const signature of ['', 'AAAA']) {
        expect(
          await verifier.verify(`${encode({ alg, kid: 'EdDSA' })}.${encode(claims())}.${signature}`),
        ).toBeUndefined();
      }
    }
  });

  it("given a token signed with HMAC under the issuer's public key, then it is refused", async () => {
    for (const format of ['pem', 'der'] as const) {
      const secret = PAIRS.RS256.publicKey.export({ type: 'spki', format: format as 'pem' });
      const signed = `${encode({ alg: 'HS256', kid: 'RS256' })}.${encode(claims())}`;
      const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
      expect(await verifier.verify(token)).toBeUndefined();
    }
  });

  it('given an algorithm that the issuer was not allowed, then a good signature does not help', async () => {
    const strict = verifierOf({ kind: 'static', keySet: await keySet('RS256', 'EdDSA') }, ['RS256']);
    expect(await strict.verify(await sign(claims(), 'EdDSA'))).toBeUndefined();
    expect(await strict.verify(await sign(claims(), 'RS256'))).toBeDefined();
  });

  it('given a key inside the token, or the address of one, then it is not looked at', async () => {
    const jwk = await exportJWK(STRANGER.publicKey);
    const token = await new SignJWT(claims())
      .setProtectedHeader({ alg: 'EdDSA', jwk, jku: 'http://127.0.0.1:1/keys' })
      .sign(STRANGER.privateKey);
    expect(await verifier.verify(token)).toBeUndefined();
  });

  it('given claims changed after signing, then it is refused', async () => {
    const [head, , signature] = (await sign(claims())).split('.');
    expect(await verifier.verify(`${head}.${encode(claims({ tenant: 'other' }))}.${signature}`)).toBeUndefined();
  });

  it.each(['', 'a.b.c', '..', `${'a'.repeat(3_000)}.b.c`, 'é.é.é', `${encode({ alg: 'EdDSA' })}.${encode([])}.AA`])(
    'given %.20j, then it is refused',
    async (token) => {
      expect(await verifier.verify(token)).toBeUndefined();
    },
  );

  it('given a good token of more than 8192 characters, then it is refused unread', async () => {
    const token = await sign(claims({ filler: 'x'.repeat(8_000) }));
    expect(token.length).toBeGreaterThan(8_192);
    expect(await verifier.verify(token)).toBeUndefined();
    expect(await verifier.verify(await sign(claims({ filler: 'x'.repeat(4_000) })))).toBeDefined();
  });

  it('given a token that was good, when replayed after its expiry, then it is refused though it was kept', async () => {
    const start = at.ms;
    const token = await sign(claims({ exp: seconds() + 10 }));
    expect(await verifier.verify(token)).toBeDefined();
    expect(verifier.knows(token)).toBe(true);
    at.ms += 15_001;
    expect(verifier.knows(token)).toBe(false);
    expect(await verifier.verify(token)).toBeUndefined();
    at.ms = start;
  });
});

describe('tokens against keys that the issuer serves', () => {
  let server: Server;
  let issuer: { keySet: unknown; status: number; fetches: number };
  let keys: JwtKeys;
  beforeEach(async () => {
    issuer = { keySet: await keySet('EdDSA'), status: 200, fetches: 0 };
    server = createServer((_, response) => {
      issuer.fetches++;
      response.writeHead(issuer.status, { 'content-type': 'application/json' }).end(JSON.stringify(issuer.keySet));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    keys = { kind: 'remote', uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys` };
  });
  afterEach(() => {
    vi.useRealTimers();
    server.close();
  });

  it('given many tokens of one key, then the keys are fetched once', async () => {
    const verifier = verifierOf(keys);
    const tokens = await Promise.all(Array.from({ length: 10 }, (_, i) => sign(claims({ sub: `someone-${i}` }))));
    const verified = await Promise.all(tokens.map((token) => verifier.verify(token)));
    expect(verified.every((one) => one !== undefined)).toBe(true);
    expect(issuer.fetches).toBe(1);
  });

  it('given a key that the issuer takes instead, when its token comes, then the keys are fetched again', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: at.ms });
    const verifier = verifierOf(keys);
    expect(await verifier.verify(await sign(claims()))).toBeDefined();
    issuer.keySet = await keySet('ES256');
    vi.setSystemTime(at.ms + 10_001); // asked again at most every 10 s
    expect(await verifier.verify(await sign(claims(), 'ES256'))).toBeDefined();
    expect(await verifier.verify(await sign(claims({ sub: 'other' })))).toBeUndefined();
    expect(issuer.fetches).toBe(2);
  });

  it('given unknown key ids, when tokens keep coming, then the issuer is not asked for each', async () => {
    const verifier = verifierOf(keys);
    await verifier.verify(await sign(claims()));
    for (let i = 0; i < 10; i++) {
      expect(await verifier.verify(await sign(claims(), 'EdDSA', STRANGER.privateKey, `kid-${i}`))).toBeUndefined();
    }
    expect(issuer.fetches).toBe(1);
  });

  it.each<[string, object]>([
    ['answers 500', { status: 500 }],
    ['answers something else', { keySet: { nonsense: true } }],
    ['has a key that is none', { keySet: { keys: [null] } }],
  ])('given an issuer that %s, when tokens keep coming, then it is left alone for a while', async (_, broken) => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const good = { ...issuer };
    Object.assign(issuer, broken);
    const verifier = verifierOf(keys);
    for (let i = 0; i < 10; i++) {
      await expect(verifier.verify(await sign(claims({ sub: `someone-${i}` })))).rejects.toThrow(AuthenticationError);
    }
    expect(issuer.fetches).toBe(1);
    Object.assign(issuer, good);
    vi.advanceTimersByTime(2_001);
    expect(await verifier.verify(await sign(claims()))).toBeDefined();
  });

  it('given a key set without end, then it is not read to its end', async () => {
    let sentBytes = 0;
    server.removeAllListeners('request');
    server.on('request', (_, response) => {
      const chunk = ' '.repeat(64 * 1024);
      const more = () => {
        if (response.destroyed) return;
        sentBytes += chunk.length;
        response.write(chunk);
      };
      response.on('drain', more);
      more();
    });
    await expect(verifierOf(keys).verify(await sign(claims()))).rejects.toThrow(AuthenticationError);
    expect(sentBytes).toBeLessThan(16 * 1024 * 1024); // what was read, and what stood in the sockets
  });

  it.each<[string, () => unknown]>([
    ['answers 500', () => Object.assign(issuer, { status: 500 })],
    ['answers something else', () => Object.assign(issuer, { keySet: { nonsense: true } })],
    ['is gone', () => server.close()],
  ])(
    'given an issuer that %s, then a token cannot be checked, which is not the same as being bad',
    async (_, breakIt) => {
      breakIt();
      const error = await verifierOf(keys)
        .verify(await sign(claims()))
        .catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(AuthenticationError);
      expect((error as AuthenticationError).failure).toBe('unavailable');
    },
  );
});
