import passport, { type Strategy } from 'passport';
import { bearerOf, type Credentials } from './bearer-strategy.js';
import { AuthenticationError } from './errors.js';
import type { FailureThrottle } from './failure-throttle.js';
import type { Principal } from './principal.js';

/**
 * The one guard before REST and gRPC: passport's strategies, tried one after another, and addresses that fail too often
 * slowed down. While an address is slowed, only credentials that were good a moment ago are let in from it, so that one bad
 * client shuts out nobody who shares its address.
 */
export class Authenticator {
  private readonly passport = new passport.Passport(); // not the module's own: several gateways may live in one process
  private readonly names: string[];

  constructor(
    strategies: readonly Strategy[],
    private readonly throttle: FailureThrottle,
  ) {
    for (const strategy of strategies) this.passport.use(strategy);
    this.names = strategies.map(({ name }) => name ?? '');
  }

  /** @throws AuthenticationError */
  async authenticate({ authorization, address }: Omit<Credentials, 'knownOnly'>): Promise<Principal> {
    const blockedMs = this.throttle.blockedMs(address);
    const principal = await this.ask({ authorization, address, knownOnly: blockedMs > 0 });
    if (principal !== undefined) return principal;
    if (authorization === undefined) throw new AuthenticationError('missing', 'no credential was sent');
    if (blockedMs > 0) {
      throw new AuthenticationError('slowed', 'too many failures from this address', { retryAfterMs: blockedMs });
    }
    this.throttle.failed(address);
    const form = bearerOf(authorization) === undefined ? 'is no bearer token' : 'is not good';
    throw new AuthenticationError('invalid', `the credential ${form}`);
  }

  private ask(credentials: Credentials): Promise<Principal | undefined> {
    return new Promise((resolve, reject) => {
      const answer = (error: unknown, principal?: Principal | false) => {
        if (error) reject(error);
        else resolve(principal || undefined);
      };
      // Passport adds its session methods to what it is given.
      this.passport.authenticate(this.names, { session: false }, answer)({ ...credentials }, undefined, reject);
    });
  }
}
