import { type LimitName, type LimitRefusal, LimitsUnavailableError } from '#lib/limits';
import { ApiError } from '#lib/openai';

const WORDS: Readonly<Record<LimitName, string>> = {
  requestsPerMinute: 'requests per min',
  tokensPerMinute: 'tokens per min',
  concurrentRequests: 'requests at once',
  tokensPerDay: 'tokens per day',
  tokensPerMonth: 'tokens per month',
  costMicrosPerDay: 'cost per day in millionths',
  costMicrosPerMonth: 'cost per month in millionths',
};

/** A refusal in OpenAI's words: rates are `rate_limit_exceeded`, quotas and budgets `insufficient_quota`. */
export function refusalError({ name, limit, used, asked, retryAfterMs }: LimitRefusal): ApiError {
  const figures = `${WORDS[name]}: Limit ${limit}, Used ${used}, Requested ${asked}.`;
  const isTooLarge = retryAfterMs === Infinity;
  switch (name) {
    case 'requestsPerMinute':
    case 'concurrentRequests':
    case 'tokensPerMinute': {
      const type = name === 'tokensPerMinute' ? 'tokens' : 'requests';
      const message = isTooLarge
        ? `Request too large on ${figures} Send less, or ask for fewer tokens with 'max_tokens'.`
        : `Rate limit reached on ${figures} Please try again in ${(retryAfterMs / 1_000).toFixed(1)}s.`;
      return new ApiError('rate_limit_exceeded', message, { type, retryAfterMs });
    }
    default: {
      const message = isTooLarge
        ? `Request too large on ${figures}`
        : `You exceeded your current quota on ${figures} Please ask your administrator for more, or try again later.`;
      return new ApiError('insufficient_quota', message, { retryAfterMs });
    }
  }
}

/** Runs what counts. @throws ApiError limits_unavailable where it cannot be counted; what else `count` throws */
export async function counted<T>(count: () => T | Promise<T>): Promise<T> {
  try {
    return await count();
  } catch (cause) {
    if (!(cause instanceof LimitsUnavailableError)) throw cause;
    throw new ApiError('limits_unavailable', 'Limits cannot be counted at present. Please try again.', { cause });
  }
}
