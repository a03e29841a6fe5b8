import { randomUUID } from 'node:crypto';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport';
import type { Principal } from './principal.js';

/** What REST and gRPC know of a request before its body is read; passport's `req`. */
export interface Credentials {
  /** The header, as it came. */
  readonly authorization: string | undefined;
  /** Alternative names of the certificate that the client has shown and that was checked: `URI:spiffe://…`. None without one. */
  readonly certificateNames: readonly string[];
  /** Of the client. */
  readonly address: string;
  /** Whether only what was good a moment ago may be let in, so that guessing costs us nothing. */
  readonly knownOnly: boolean;
}

type Verify = (credentials: Credentials, verified: (error: unknown, principal?: Principal) => void) => void;

/** What passport calls. */
class PassportCredentials extends Strategy {
  override readonly name: string;

  /** @param kind  of credential; passport's registry is one for the whole process, in which several gateways may live */
  constructor(
    kind: string,
    private readonly verify: Verify,
  ) {
    super();
    this.name = `${kind}-${randomUUID()}`;
  }

  /** Called by passport on a copy of the strategy that has `success`, `fail` and `error`. */
  override authenticate(request: unknown): void {
    const credentials = request as Credentials; // the only requests that `Authenticator` hands over
    this.verify(credentials, (error, principal) => {
      if (error) this.error(error);
      else if (principal === undefined) this.fail();
      else this.success(principal);
    });
  }
}

/** One way to tell who sends a request; registered with passport as soon as it is made. */
export abstract class CredentialStrategy extends PassportStrategy(PassportCredentials) {
  /** @returns `undefined` when it is not for this strategy, or not good @throws AuthenticationError unavailable */
  abstract override validate(credentials: Credentials): Promise<Principal | undefined> | Principal | undefined;
}
