import type { PrefixHashes } from '#lib/kv';
import { prefillUrgency } from '../prefill-order.js';

/** A prompt that a worker has to compute, as the scheduler believes. */
export interface PendingPrompt {
  readonly generationId: string;
  readonly promptTokens: number;
  readonly prefixHashes: PrefixHashes;
  readonly sentAtMs: number;
  /** Neither computed nor cached; an estimate until the worker has begun with it. */
  remainingTokens: number;
}

/** For workers that compute the most urgent prompt first. */
export function urgencyOf({ remainingTokens, sentAtMs }: PendingPrompt, nowMs: number): number {
  return prefillUrgency(remainingTokens, nowMs - sentAtMs);
}
