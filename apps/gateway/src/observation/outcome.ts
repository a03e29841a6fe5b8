import { ApiError } from '#lib/openai';

/** What a request that threw ended with, for metrics and logs: a condition of the error table. */
export function outcomeOf(error: unknown): string {
  return error instanceof ApiError ? error.condition : 'internal_error';
}

/** Whether the client itself put an end to its request: it left, or its own deadline passed. */
export function endedByClient(error: unknown): boolean {
  return error instanceof ApiError && (error.condition === 'client_closed' || error.countedAs === 'client_deadline');
}
