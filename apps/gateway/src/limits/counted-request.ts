import type { FastifyRequest } from 'fastify';
import type { LimitedSubject, LimitState } from '#lib/limits';

/** A request of REST that was counted for its tenant and its key. */
export interface CountedRequest {
  /** Whose limits hold for it, those of single models too. */
  readonly subjects: readonly LimitedSubject[];
  /** Of the tightest limit; absent where there is none. */
  readonly state: LimitState | undefined;
}

const counted = new WeakMap<FastifyRequest, CountedRequest>();

export function noteCounted(request: FastifyRequest, what: CountedRequest): void {
  counted.set(request, what);
}

/** Absent: nothing was counted for it yet. */
export function countedRequest(request: FastifyRequest): CountedRequest | undefined {
  return counted.get(request);
}
