import passport from 'passport';
import { bearerOf } from './bearer-strategy.js';
import type { CredentialStrategy, Credentials } from './credential-strategy.js';
import { AuthenticationError } from './errors.js';
import type { FailureThrottle } from './failure-throttle.js';
import type { Principal } from './principal.js';

/**
 * The guard before REST and gRPC: passport's strategies, tried one after another, and addresses that fail too often
 * slowed down. While an address is slowed, only credentials that were good a moment ago are let in from it, so that one bad
 * client shuts out nobody who shares its address.
 */
export class Authenticator {
  constructor(
    private readonly strategies: readonly CredentialStrategy[],
    private readonly throttle: FailureThrottle,
  ) {}

  /** @throws AuthenticationError */
  async authenticate(presented: Omit<Credentials, 'knownOnly'>): Promise<Principal> {
    const { authorization, address } = presented;
    const blockedMs = this.throttle.blockedMs(address);
    const credentials = { ...presented, knownOnly: blockedMs > 0 };
    for (const strategy of this.strategies) {
      const principal = await askOne(strategy, credentials);
      if (principal !== undefined) return principal;
    }
    if (authorization === undefined) throw new AuthenticationError('missing', 'no credential was sent');
    if (blockedMs > 0) {
      throw new AuthenticationError('slowed', 'too many failures from this address', { retryAfterMs: blockedMs });
    }
    this.throttle.failed(address);
    const form = bearerOf(authorization) === undefined ? 'is no bearer token' : 'is not good';
    throw new AuthenticationError('invalid', `the credential ${form}`);
  }

  /** Takes the strategies out of passport's registry. */
  close(): void {
    for (const { name } of this.strategies) passport.unuse(name);
  }
}

/**
 * Asks a strategy as passport's own middleware does, on an object of its own that has `success`, `fail` and `error`, without what sessions and
 * redirections need: with these it kept 2 KB of each request until the next full garbage collection.
 */
function askOne(strategy: CredentialStrategy, credentials: Credentials): Promise<Principal | undefined> {
  return new Promise((resolve, reject) => {
    const asked: CredentialStrategy = Object.create(strategy);
    const fail = () => resolve(undefined);
    Object.assign(asked, { success: resolve, fail, error: reject });
    asked.authenticate(credentials);
  });
}
