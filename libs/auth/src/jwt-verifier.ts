import { hash } from 'node:crypto';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import { AuthenticationError } from './errors.js';
import { keySetFetch } from './key-set-fetch.js';

/** Where the keys of an issuer come from. */
export type JwtKeys =
  /** Fetched, kept, fetched again when a token names a key that is not there. */
  { readonly kind: 'remote'; readonly uri: string } | { readonly kind: 'static'; readonly keySet: JSONWebKeySet };

export interface JwtIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly keys: JwtKeys;
  /**
   * Asymmetric ones only: with a shared secret, the public key of an issuer would be a key to sign with.
   * The configuration knows no others.
   */
  readonly algorithms: readonly string[];
  /** By how much clocks may differ, in milliseconds. */
  readonly clockSkewMs: number;
}

/** A token that was checked, with the issuer it is from. */
export interface VerifiedToken {
  readonly issuer: JwtIssuer;
  readonly claims: JWTPayload;
}

/** Longer ones are refused unread. Those of large identity providers have 1 to 4 kB. */
const MAX_TOKEN_CHARACTERS = 8_192;
const KEPT_TOKENS = 10_000;
/** A key that its issuer withdrew counts no longer than this. */
const KEPT_FOR_MS = 60_000;
/** An unknown key id makes us ask the issuer again, this often at most. */
const FETCH_COOLDOWN_MS = 10_000;
const FETCH_TIMEOUT_MS = 5_000;
/** Keys are fetched anew after this long even when they are all known, so that withdrawn ones go. */
const KEYS_MAX_AGE_MS = 10 * 60_000;
const RETRY_MS = 2_000;

/** Checks JSON Web Tokens: signature by the issuer's keys, issuer, audience, times. Tokens that were good are kept a while. */
export class JwtVerifier {
  private readonly verified = new LRUCache<string, VerifiedToken & { readonly untilMs: number }>({ max: KEPT_TOKENS });
  private readonly resolvers: ReadonlyMap<string, JWTVerifyGetKey>;

  constructor(
    private readonly issuers: readonly JwtIssuer[],
    private readonly now: () => number = Date.now,
  ) {
    this.resolvers = new Map(issuers.map(({ issuer, keys }) => [issuer, keysOf(keys)]));
  }

  /** Whether the token was good a moment ago, so that `verify` asks nobody. */
  knows(token: string): boolean {
    return this.kept(token) !== undefined;
  }

  /** @returns `undefined` for a token that is not good, whatever is wrong @throws AuthenticationError unavailable */
  async verify(token: string): Promise<VerifiedToken | undefined> {
    if (token.length > MAX_TOKEN_CHARACTERS) return undefined;
    const kept = this.kept(token);
    if (kept !== undefined) return kept;
    const issuer = this.issuerOf(token);
    const resolver = issuer && this.resolvers.get(issuer.issuer);
    if (issuer === undefined || resolver === undefined) return undefined;
    try {
      const { payload } = await jwtVerify(token, resolver, {
        issuer: issuer.issuer,
        audience: issuer.audience,
        algorithms: [...issuer.algorithms],
        clockTolerance: issuer.clockSkewMs / 1_000,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(this.now()),
      });
      if (typeof payload.sub !== 'string' || payload.sub === '') return undefined; // nobody can be told by it
      const expiresAtMs = (payload.exp as number) * 1_000 + issuer.clockSkewMs; // required above
      const verified = { issuer, claims: payload, untilMs: Math.min(expiresAtMs, this.now() + KEPT_FOR_MS) };
      this.verified.set(hash('sha256', token), verified);
      return verified;
    } catch (cause) {
      if (cause instanceof errors.JOSEError && !isFetchFailure(cause)) return undefined;
      throw new AuthenticationError('unavailable', `the keys of ${issuer.issuer} cannot be fetched`, {
        cause,
        retryAfterMs: RETRY_MS,
      });
    }
  }

  private kept(token: string): VerifiedToken | undefined {
    const kept = this.verified.get(hash('sha256', token));
    return kept !== undefined && this.now() < kept.untilMs ? kept : undefined;
  }

  /** By what the token says of itself, which is checked afterwards. */
  private issuerOf(token: string): JwtIssuer | undefined {
    try {
      const { iss } = decodeJwt(token);
      return this.issuers.find(({ issuer }) => issuer === iss);
    } catch {
      return undefined; // not a token at all
    }
  }
}

function keysOf(keys: JwtKeys): JWTVerifyGetKey {
  if (keys.kind === 'static') return createLocalJWKSet(keys.keySet);
  return createRemoteJWKSet(new URL(keys.uri), {
    cooldownDuration: FETCH_COOLDOWN_MS,
    timeoutDuration: FETCH_TIMEOUT_MS,
    cacheMaxAge: KEYS_MAX_AGE_MS,
    [customFetch]: keySetFetch(RETRY_MS),
  });
}

/** Of the issuer, not of the token. jose has no class of its own for an answer that is not 200. */
function isFetchFailure(error: errors.JOSEError): boolean {
  return (
    error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === 'ERR_JOSE_GENERIC'
  );
}
