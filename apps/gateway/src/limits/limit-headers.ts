import type { FastifyReply } from 'fastify';
import type { LimitState, LimitStates } from '#lib/limits';

const REQUESTS = headerNames('requests');
const TOKENS = headerNames('tokens');

/** OpenAI's headers that say how much is left; of the tightest limit of each kind. */
export function limitHeaders({ requests, tokens }: LimitStates): Record<string, string> {
  const headers: Record<string, string> = {};
  if (requests !== undefined) add(headers, REQUESTS, requests);
  if (tokens !== undefined) add(headers, TOKENS, tokens);
  return headers;
}

function headerNames(kind: 'requests' | 'tokens') {
  return {
    limit: `x-ratelimit-limit-${kind}`,
    remaining: `x-ratelimit-remaining-${kind}`,
    reset: `x-ratelimit-reset-${kind}`,
  };
}

function add(headers: Record<string, string>, names: ReturnType<typeof headerNames>, state: LimitState): void {
  headers[names.limit] = String(state.limit);
  headers[names.remaining] = String(Math.floor(state.remaining));
  headers[names.reset] = `${(state.resetMs / 1_000).toFixed(3)}s`;
}

/** Answers a request; when that fails, the error says what is left of its limits, as an answer does by itself. */
export async function withLimits(
  life: { readonly limits: LimitStates },
  reply: FastifyReply,
  answer: () => Promise<void>,
): Promise<void> {
  try {
    await answer();
  } catch (cause) {
    void reply.headers(limitHeaders(life.limits));
    throw cause;
  }
}
