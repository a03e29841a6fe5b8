import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { AuthGuard } from '@nestjs/passport';
import passport from 'passport';
import { bearerOf } from './bearer-strategy.js';
import type { CredentialStrategy, Credentials } from './credential-strategy.js';
import { AuthenticationError } from './errors.js';
import type { FailureThrottle } from './failure-throttle.js';
import type { Principal } from './principal.js';

/**
 * The guard of passport before REST and gRPC: strategies, tried one after another, and addresses that fail too often
 * slowed down. While an address is slowed, only credentials that were good a moment ago are let in from it, so that one bad
 * client shuts out nobody who shares its address.
 */
export class Authenticator extends AuthGuard() {
  private readonly names: string[];

  constructor(
    strategies: readonly CredentialStrategy[],
    private readonly throttle: FailureThrottle,
  ) {
    const names = strategies.map(({ name }) => name);
    super({ defaultStrategy: names, session: false });
    this.names = names;
  }

  /** @throws AuthenticationError */
  async authenticate(presented: Omit<Credentials, 'knownOnly'>): Promise<Principal> {
    const { authorization, address } = presented;
    const blockedMs = this.throttle.blockedMs(address);
    const principal = await this.ask({ ...presented, knownOnly: blockedMs > 0 });
    if (principal !== undefined) return principal;
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
    for (const name of this.names) passport.unuse(name);
  }

  /** The guard throws HTTP's 401 for nobody; here it depends on more. */
  override handleRequest<User>(error: unknown, user: User | false): User {
    if (error) throw error;
    return (user || undefined) as User; // what it returns comes into `request.user`
  }

  private async ask(credentials: Credentials): Promise<Principal | undefined> {
    const request: Credentials & { user?: Principal } = credentials;
    await this.canActivate(new ExecutionContextHost([request]));
    return request.user;
  }
}
