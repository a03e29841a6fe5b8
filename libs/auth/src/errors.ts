/** Why nobody is let in. The client hears of `invalid` whatever was wrong, so that it learns nothing about what exists. */
export type AuthenticationFailure =
  /** No credential was sent. */
  | 'missing'
  /** Unknown, expired, revoked, of a suspended tenant, or no credential at all in its form. */
  | 'invalid'
  /** Too many failures from this address. */
  | 'slowed'
  /** It cannot be checked now: the database or the issuer's keys cannot be reached. */
  | 'unavailable';

export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError';
  constructor(
    readonly failure: AuthenticationFailure,
    /** For the log: never holds any part of a secret. */
    message: string,
    options: ErrorOptions & {
      /** When to come back, of `slowed` and `unavailable`. */
      readonly retryAfterMs?: number;
    } = {},
  ) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
  readonly retryAfterMs: number | undefined;
}

/** An act of administration that cannot be done; the message is for people. */
export class AdministrationError extends Error {
  override readonly name = 'AdministrationError';
  constructor(
    readonly reason: 'not-found' | 'conflict',
    message: string,
    /** The field at fault. */
    readonly field?: string,
  ) {
    super(message);
  }
}
