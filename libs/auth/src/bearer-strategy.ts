import { CredentialStrategy, type Credentials } from './credential-strategy.js';
import type { Principal } from './principal.js';

/** A strategy for one kind of bearer token. */
export abstract class BearerStrategy extends CredentialStrategy {
  /** Whether the token has this strategy's form; others are left to other strategies. */
  protected abstract claims(token: string): boolean;
  /** Whether `verifyToken` would ask nobody. */
  protected abstract knows(token: string): boolean;
  /** @returns `undefined` for a token that is not good @throws AuthenticationError unavailable */
  protected abstract verifyToken(token: string): Promise<Principal | undefined>;

  override validate({ authorization, knownOnly }: Credentials): Promise<Principal | undefined> | undefined {
    const token = bearerOf(authorization);
    if (token === undefined || !this.claims(token) || (knownOnly && !this.knows(token))) return undefined;
    return this.verifyToken(token);
  }
}

/** @returns the token of `Authorization: Bearer …` */
export function bearerOf(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : /^bearer +(\S+) *$/i.exec(authorization)?.[1];
}
