/**
 * Why a request gets no place; `RefusalReason` of placement.proto in our words.
 * | reason | means |
 * |---|---|
 * | no-worker | no live worker serves the model or adapter, and none is expected |
 * | queue-full | as many wait as may |
 * | wait-expired | the longest wait passed without room |
 * | unserviceable | no worker of the model could ever hold it |
 * | deadline-unreachable | the time of its first token has passed |
 * | attempts-exhausted | placed too often |
 * | strategy-failed | the model's strategy broke its contract; another request, or a later one, may fare better |
 * | shutting-down | this scheduler takes nothing new |
 * | superseded | the same generation asked again; the later call has the place |
 */
export const REFUSAL_REASONS = [
  'no-worker',
  'queue-full',
  'wait-expired',
  'unserviceable',
  'deadline-unreachable',
  'attempts-exhausted',
  'strategy-failed',
  'shutting-down',
  'superseded',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export interface Refusal {
  readonly reason: RefusalReason;
  /** For people. */
  readonly message: string;
  /** Hint before a retry; 0 for none. */
  readonly retryAfterMs: number;
}
