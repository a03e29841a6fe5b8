import type { LimitStates } from '#lib/limits';

/** OpenAI's headers that say how much is left; of the tightest limit of each kind. */
export function limitHeaders({ requests, tokens }: LimitStates): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [kind, state] of Object.entries({ requests, tokens })) {
    if (state === undefined) continue;
    headers[`x-ratelimit-limit-${kind}`] = String(state.limit);
    headers[`x-ratelimit-remaining-${kind}`] = String(Math.floor(state.remaining));
    headers[`x-ratelimit-reset-${kind}`] = `${(state.resetMs / 1_000).toFixed(3)}s`;
  }
  return headers;
}
