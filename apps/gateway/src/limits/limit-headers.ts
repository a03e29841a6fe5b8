import type { FastifyReply } from 'fastify';
import type { LimitState, LimitStates } from '#lib/limits';

/** OpenAI's headers that say how much is left; of the tightest limit of each kind. */
export function limitHeaders({ requests, tokens }: LimitStates): Record<string, string> {
  const headers: Record<string, string> = {};
  if (requests !== undefined) add(headers, 'requests', requests);
  if (tokens !== undefined) add(headers, 'tokens', tokens);
  return headers;
}

function add(headers: Record<string, string>, kind: 'requests' | 'tokens', state: LimitState): void {
  headers[`x-ratelimit-limit-${kind}`] = String(state.limit);
  headers[`x-ratelimit-remaining-${kind}`] = String(Math.floor(state.remaining));
  headers[`x-ratelimit-reset-${kind}`] = `${(state.resetMs / 1_000).toFixed(3)}s`;
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
