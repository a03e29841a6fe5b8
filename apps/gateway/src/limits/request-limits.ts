import { Injectable } from '@nestjs/common';
import { AuthenticationError, type StoredLimits } from '#lib/auth';
import { type LimitedUse, Limiter, type LimitName, type LimitRefusal } from '#lib/limits';
import { ApiError } from '#lib/openai';
import type { RequestLife } from '../completion/request-life.js';
import { Identity } from '../identity/identity.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';

/** Holds requests to the limits of their tenant and key. */
@Injectable()
export class RequestLimits {
  private readonly limiter = new Limiter();

  constructor(
    private readonly identity: Identity,
    private readonly metrics: GatewayMetrics,
  ) {}

  /**
   * Takes what the request can use at most; the caller settles it when the request has ended, whatever its end.
   * @param tokens  of its prompts and the longest answers
   * @throws ApiError rate_limit_exceeded
   */
  async reserve(life: RequestLife, tokens: number): Promise<LimitedUse> {
    const { tenantId, keyId = '' } = life.principal;
    const limits = await this.limitsOf(tenantId);
    const subjects = limits
      .filter((stored) => stored.keyId === undefined || stored.keyId === keyId)
      .map((stored) => ({ id: `${tenantId}/${stored.keyId ?? ''}`, limits: stored.limits }));
    const decision = this.limiter.reserve(subjects, tokens, performance.now());
    if (decision.isAllowed) {
      life.onLimits(decision.use);
      return decision.use;
    }
    life.onLimits(decision);
    this.metrics.overLimit(decision.name);
    throw toApiError(decision);
  }

  private async limitsOf(tenantId: string): Promise<readonly StoredLimits[]> {
    try {
      return (await this.identity.directory?.tenant(tenantId))?.limits ?? [];
    } catch (cause) {
      if (!(cause instanceof AuthenticationError)) throw cause;
      throw new ApiError('auth_unavailable', 'Limits cannot be looked up at present. Please try again.', { cause });
    }
  }
}

const WORDS: Readonly<Record<LimitName, string>> = {
  requestsPerMinute: 'requests per min',
  tokensPerMinute: 'tokens per min',
  concurrentRequests: 'requests at once',
};

function toApiError({ name, limit, used, asked, retryAfterMs }: LimitRefusal): ApiError {
  const type = name === 'tokensPerMinute' ? 'tokens' : 'requests';
  const figures = `${WORDS[name]}: Limit ${limit}, Used ${used}, Requested ${asked}.`;
  const isTooLarge = retryAfterMs === Infinity;
  const message = isTooLarge
    ? `Request too large on ${figures} Ask for fewer tokens.`
    : `Rate limit reached on ${figures} Please try again in ${(retryAfterMs / 1_000).toFixed(1)}s.`;
  return new ApiError('rate_limit_exceeded', message, { type, retryAfterMs });
}
