import type { FastifyRequest } from 'fastify';
import type { LimitState } from '#lib/limits';

/** A request of REST that was counted for its tenant and its key. */
export interface CountedRequest {
  /** Of the tightest limit; absent where there is none. */
  readonly state: LimitState | undefined;
}

const counted = new WeakMap<FastifyRequest, CountedRequest>();

export function noteCounted(request: FastifyRequest, state: LimitState | undefined): void {
  counted.set(request, { state });
}

/** Absent: nothing was counted for it yet. */
export function countedRequest(request: FastifyRequest): CountedRequest | undefined {
  return counted.get(request);
}
