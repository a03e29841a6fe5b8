import { Inject, Injectable } from '@nestjs/common';
import { ThrottlerStorage } from '@nestjs/throttler';
import { type LimitedSubject, type LimitState, tightest } from '#lib/limits';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { counted, refusalError } from './refusal-error.js';

const MINUTE_MS = 60_000;

/** Requests per minute, in the throttler's storage: the cheapest of the limits, looked at before a prompt is. */
@Injectable()
export class RequestRates {
  constructor(
    @Inject(ThrottlerStorage) private readonly storage: ThrottlerStorage,
    private readonly metrics: GatewayMetrics,
  ) {}

  /**
   * Counts one request for each subject that has a limit.
   * @param told  hears what is left of the tightest one, also of one that refuses
   * @throws ApiError rate_limit_exceeded
   */
  async count(
    tenantId: string,
    subjects: readonly LimitedSubject[],
    told: (state: LimitState | undefined) => void,
  ): Promise<void> {
    const states: LimitState[] = [];
    for (const { id, limits } of subjects) {
      const limit = limits.requestsPerMinute;
      if (limit === undefined) continue;
      const record = await counted(() => this.storage.increment(`${tenantId}/${id}`, MINUTE_MS, limit, 0, 'requests'));
      const { totalHits, timeToExpire, isBlocked, timeToBlockExpire } = record;
      const state = { limit, remaining: Math.max(0, limit - totalHits), resetMs: timeToExpire * 1_000 };
      states.push(state);
      if (!isBlocked) continue;
      told(state);
      this.metrics.overLimit(tenantId, 'requestsPerMinute');
      throw refusalError({
        ...{ isAllowed: false, subjectId: id, name: 'requestsPerMinute', limit, used: totalHits, asked: 1 },
        retryAfterMs: timeToBlockExpire * 1_000,
      });
    }
    told(tightest(states));
  }
}
