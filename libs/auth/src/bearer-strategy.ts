import { Strategy } from 'passport';
import type { Principal } from './principal.js';

/** What REST and gRPC know of a request before its body is read; passport's `req`. */
export interface Credentials {
  /** The header, as it came. */
  readonly authorization: string | undefined;
  /** Of the client. */
  readonly address: string;
  /** Whether only what was good a moment ago may be let in, so that guessing costs us nothing. */
  readonly knownOnly: boolean;
}

/** A strategy of passport for one kind of bearer token. */
export abstract class BearerStrategy extends Strategy {
  abstract override readonly name: string;

  /** Whether the token has this strategy's form; others are left to other strategies. */
  protected abstract claims(token: string): boolean;
  /** Whether `verify` would ask nobody. */
  protected abstract knows(token: string): boolean;
  /** @returns `undefined` for a token that is not good @throws AuthenticationError unavailable */
  protected abstract verify(token: string): Promise<Principal | undefined>;

  /** Called by passport on a copy of the strategy that has `success`, `fail` and `error`. */
  override authenticate(request: unknown): void {
    const { authorization, knownOnly } = request as Credentials; // the only requests that `Authenticator` hands over
    const token = bearerOf(authorization);
    if (token === undefined || !this.claims(token) || (knownOnly && !this.knows(token))) {
      this.fail();
      return;
    }
    this.verify(token).then(
      (principal) => (principal === undefined ? this.fail() : this.success(principal)),
      (error: unknown) => this.error(error),
    );
  }
}

/** @returns the token of `Authorization: Bearer …` */
export function bearerOf(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : /^bearer +(\S+) *$/i.exec(authorization)?.[1];
}
