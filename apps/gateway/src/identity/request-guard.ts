import { Injectable } from '@nestjs/common';
import { AuthenticationError, type Principal, type Scope } from '#lib/auth';
import { ApiError } from '#lib/openai';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { Identity } from './identity.js';

/** What a request shows of itself before its body is read. */
export interface Caller {
  /** The header or metadata `authorization`. */
  readonly authorization: string | undefined;
  /** Of the certificate that was shown and is good, with their kinds. */
  readonly certificateNames: readonly string[];
  readonly address: string;
}

/** The one guard before REST and gRPC: lets in who has a credential that is good for what it asks for. */
@Injectable()
export class RequestGuard {
  constructor(
    private readonly identity: Identity,
    private readonly metrics: GatewayMetrics,
  ) {}

  /** @param scope  absent when any credential will do @throws ApiError */
  async admit(caller: Caller, scope: Scope | undefined): Promise<Principal> {
    const principal = await this.identity.authenticator.authenticate(caller).catch((cause) => this.refuse(cause));
    if (scope === undefined || principal.scopes.includes(scope)) return principal;
    this.metrics.notLetIn('scope');
    if (principal.kind === 'anonymous') {
      const message = 'Without authentication there is nothing to administer: set `auth.mode`, see docs/auth.md.';
      throw new ApiError('insufficient_permissions', message);
    }
    throw new ApiError('insufficient_permissions', `This credential lacks the scope '${scope}'.`);
  }

  private refuse(cause: unknown): never {
    if (!(cause instanceof AuthenticationError)) throw cause;
    this.metrics.notLetIn(cause.failure);
    throw toApiError(cause);
  }
}

function toApiError(cause: AuthenticationError): ApiError {
  const { failure, retryAfterMs } = cause;
  switch (failure) {
    case 'missing':
      return new ApiError('invalid_api_key', "You didn't provide an API key: send it as 'Authorization: Bearer KEY'.", {
        cause,
      });
    case 'invalid':
      return new ApiError('invalid_api_key', 'Incorrect API key or token provided.', { cause });
    case 'slowed':
      return new ApiError('rate_limit_exceeded', 'Too many bad credentials came from your address.', {
        cause,
        retryAfterMs,
      });
    case 'unavailable':
      return new ApiError('auth_unavailable', 'Credentials cannot be checked at present. Please try again.', {
        cause,
        retryAfterMs,
      });
    default:
      return failure satisfies never;
  }
}
