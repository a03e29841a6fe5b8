import { setTimeout as delay } from 'node:timers/promises';
import { SourceError } from '../errors.js';

/** Something that may go better the next time. The message is a sentence without its full stop. */
export class TransientFailure extends Error {
  override readonly name = 'TransientFailure';
  /** What the server asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** There was no connection at all: fewer attempts are worth it. */
  readonly isNoNetwork: boolean;

  constructor(
    message: string,
    options: { readonly cause?: unknown; readonly retryAfterMs?: number; readonly isNoNetwork?: boolean } = {},
  ) {
    super(message, { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
    this.isNoNetwork = options.isNoNetwork ?? false;
  }
}

export interface RetryPolicy {
  /** Attempts in a row that brought nothing, the first included. */
  readonly attempts: number;
  /** The same when there is no connection at all, so that the next source gets its turn soon. */
  readonly attemptsWithoutNetwork: number;
  /** Wait before the second attempt; doubles each time, with ± 25 % of chance. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Longest `Retry-After` that is waited for. */
  readonly maxRetryAfterMs: number;
}

/** Chosen: a quarter of a minute of back-off for a shaky server, one second without network. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  attempts: 6,
  attemptsWithoutNetwork: 2,
  firstDelayMs: 500,
  maxDelayMs: 8_000,
  maxRetryAfterMs: 120_000,
};

/**
 * Runs `work` until it succeeds, throws something else than TransientFailure, or has failed too often in a row.
 * @param work  calls `progressed` when an attempt brought something, which makes the count start anew
 * @throws SourceError `unreachable` after the last attempt; the signal's reason when aborted
 */
export async function withRetries<T>(
  work: (progressed: () => void) => Promise<T>,
  policy: RetryPolicy,
  signal?: AbortSignal,
): Promise<T> {
  let failures = 0;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await work(() => {
        failures = 0;
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TransientFailure)) throw error;
      failures += 1;
      const attempts = error.isNoNetwork ? policy.attemptsWithoutNetwork : policy.attempts;
      if (failures >= attempts) {
        const times = failures === 1 ? '' : ` (tried ${failures} times)`;
        throw new SourceError('unreachable', `${error.message}${times}.`, { cause: error });
      }
      await wait(failures, error, policy, signal);
    }
  }
}

async function wait(
  failures: number,
  { message, retryAfterMs }: TransientFailure,
  policy: RetryPolicy,
  signal?: AbortSignal,
): Promise<void> {
  if (retryAfterMs !== undefined && retryAfterMs > policy.maxRetryAfterMs) {
    const seconds = Math.ceil(retryAfterMs / 1000);
    throw new SourceError('unreachable', `${message}, and asks to come back in ${seconds} seconds.`);
  }
  const backOffMs = Math.min(policy.firstDelayMs * 2 ** (failures - 1), policy.maxDelayMs);
  const delayMs = Math.max(retryAfterMs ?? 0, backOffMs * (0.75 + Math.random() / 2));
  await delay(delayMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
}
