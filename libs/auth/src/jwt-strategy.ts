import type { JWTPayload } from 'jose';
import { BearerStrategy } from './bearer-strategy.js';
import type { IdentityDirectory } from './identity-directory.js';
import type { JwtVerifier } from './jwt-verifier.js';
import {
  BUILT_IN_ROLES,
  DEFAULT_SCOPES,
  isScope,
  MAX_SUBJECT_CHARACTERS,
  type Principal,
  type Scope,
} from './principal.js';

/** What the claims of an issuer mean here. */
export interface JwtMapping {
  readonly issuer: string;
  /** Claim that holds the tenant's id. */
  readonly tenantClaim: string;
  /** Claim that holds roles: an array, or words apart by spaces. */
  readonly rolesClaim: string;
  /** Roles that the issuer may give; others are dropped. */
  readonly roles: readonly string[];
  /** Scopes that the issuer may give; others are dropped. */
  readonly scopes: readonly Scope[];
}

const MAX_WORDS = 64;

/** Told of good tokens that nobody is let in with. @param tenantId  as the claim says; `undefined` where there is none */
export type TellUnknownTenant = (mapping: JwtMapping, tenantId: string | undefined) => void;

/** Lets in who has a token of a known issuer for a known tenant. */
export class JwtStrategy extends BearerStrategy {
  constructor(
    private readonly verifier: JwtVerifier,
    private readonly mappings: readonly JwtMapping[],
    private readonly directory: IdentityDirectory,
    private readonly tellUnknown: TellUnknownTenant = () => {},
  ) {
    super('jwt');
  }

  protected override claims(token: string): boolean {
    return token.split('.', 4).length === 3;
  }

  protected override knows(token: string): boolean {
    return this.verifier.knows(token);
  }

  protected override async verifyToken(token: string): Promise<Principal | undefined> {
    const verified = await this.verifier.verify(token);
    const mapping = this.mappings.find(({ issuer }) => issuer === verified?.issuer.issuer);
    if (verified === undefined || mapping === undefined) return undefined;
    const { claims } = verified;
    const claim = claims[mapping.tenantClaim];
    const tenantId = typeof claim === 'string' ? claim : undefined;
    const view = tenantId === undefined ? undefined : await this.directory.tenant(tenantId);
    if (view === undefined) {
      this.tellUnknown(mapping, tenantId);
      return undefined;
    }
    const { id, cacheSalt } = view.tenant;
    return {
      kind: 'jwt',
      tenantId: id,
      subject: String(claims.sub).slice(0, MAX_SUBJECT_CHARACTERS),
      roles: rolesOf(claims, mapping),
      scopes: scopesOf(claims, mapping),
      cacheSalt,
    };
  }
}

function rolesOf(claims: JWTPayload, { rolesClaim, roles }: JwtMapping): string[] {
  const given = wordsOf(claims[rolesClaim]) ?? [BUILT_IN_ROLES.user];
  return given.filter((role) => roles.includes(role));
}

/** Of the claim `scope` of OAuth 2.0 (RFC 9068); scopes that are not ours belong to somebody else. */
function scopesOf(claims: JWTPayload, { scopes }: JwtMapping): readonly Scope[] {
  const given = wordsOf(claims['scope'])?.filter(isScope) ?? DEFAULT_SCOPES;
  return given.filter((scope) => scopes.includes(scope));
}

function wordsOf(claim: unknown): string[] | undefined {
  if (claim === undefined) return undefined;
  const words = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
  return words.filter((word): word is string => typeof word === 'string' && word !== '').slice(0, MAX_WORDS);
}
