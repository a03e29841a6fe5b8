import { ApiError } from '#lib/openai';

/** What a request that threw ended with, for metrics and logs: a condition of the error table. */
export function outcomeOf(error: unknown): string {
  return error instanceof ApiError ? error.condition : 'internal_error';
}
