import type { Principal } from '#lib/auth';
import type { PlacementExplanation } from '#lib/contracts';
import type { LimitStates } from '#lib/limits';
import type { RequestRecord } from '#lib/observability';
import { ApiError } from '#lib/openai';
import type { CountedRequest } from '../limits/counted-request.js';

export interface RequestOrigin {
  readonly requestId: string;
  /** What is recorded of it. */
  readonly record: RequestRecord;
  readonly principal: Principal;
  /** Where it came in, for metrics: `/v1/completions`, `/hydra.v1.Inference/Chat`. */
  readonly route: string;
  /** What was counted of it before it came here; absent for nothing. */
  readonly counted?: CountedRequest | undefined;
  /** `x-session-id` as it came; wins over the body's own session fields. */
  readonly sessionHeader: string | undefined;
  /** `x-slo-ttft-ms` as it came. */
  readonly sloTtftHeader: string | undefined;
  /** `x-hydra-debug` as it came. */
  readonly debugHeader: string | undefined;
}

/** Of `x-session-id`; the rest is not looked at. */
const MAX_SESSION_ID_CHARACTERS = 256;
const DEADLINE_PASSED = "The request's deadline passed before the answer was complete.";
/** Longest delay a timer of Node takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * From a request's arrival to its end: who it is, until when it may live, and one signal for all reasons to stop (client
 * gone, deadline, shutdown). The signal's reason is the ApiError that the client would see.
 */
export class RequestLife {
  readonly requestId: string;
  readonly record: RequestRecord;
  readonly route: string;
  readonly sessionHeader: string | undefined;
  /** Who sent it. */
  readonly principal: Principal;
  readonly counted: CountedRequest | undefined;
  /**
   * How much is left of its limits, as last counted; what answers it says so. A value and not a function to be told by: V8 puts a function
   * that is assigned to a property into its old generation, with all that it reaches (docs/decisions/2026-11-29-what-outlives-a-request.md).
   */
  limits: LimitStates;
  /** Told how each of its generations was placed, when it asked and may know. */
  onPlaced: ((explanation: PlacementExplanation) => void) | undefined;
  readonly debugHeader: string | undefined;
  readonly arrivedAtMs = performance.now();
  private readonly sloTtftHeader: string | undefined;
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private deadline = 0;
  private isClientsDeadline = false;

  constructor(origin: RequestOrigin) {
    this.requestId = origin.requestId;
    this.record = origin.record;
    this.principal = origin.principal;
    this.route = origin.route;
    this.counted = origin.counted;
    this.limits = { requests: origin.counted?.state, tokens: undefined };
    this.debugHeader = origin.debugHeader;
    this.sloTtftHeader = origin.sloTtftHeader;
    this.sessionHeader = origin.sessionHeader?.slice(0, MAX_SESSION_ID_CHARACTERS) || undefined;
  }

  /**
   * Longest time to first token that the client wants, from the arrival, in milliseconds; undefined when it does not say.
   * @throws ApiError for an `x-slo-ttft-ms` that is no time
   */
  get sloTtftMs(): number | undefined {
    return sloTtftMsOf(this.sloTtftHeader);
  }

  /** What its log lines have. */
  get logFields(): Record<string, unknown> {
    return { request_id: this.requestId, ...this.record.logFields };
  }

  get tenantId(): string {
    return this.principal.tenantId;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Milliseconds since the Unix epoch. */
  get deadlineUnixMs(): number {
    return this.deadline;
  }

  /** When `afterMs` since its arrival will have passed, in milliseconds since the Unix epoch. */
  unixMsAfter(afterMs: number): number {
    return Math.ceil(Date.now() + afterMs - this.ageMs);
  }

  get ageMs(): number {
    return performance.now() - this.arrivedAtMs;
  }

  /**
   * Ends the request `longestMs` after its arrival, or `askedMs` when that is shorter.
   * @param askedMs  the client's own deadline: when it passes, that is counted as no fault of ours
   */
  limit(longestMs: number, askedMs = longestMs): void {
    this.isClientsDeadline = askedMs < longestMs;
    const remainingMs = Math.max(0, Math.min(longestMs, askedMs) - this.ageMs);
    this.deadline = Math.ceil(Date.now() + remainingMs);
    this.timer = setTimeout(() => this.passDeadline(), Math.min(remainingMs, LONGEST_TIMER_MS));
  }

  /** Stops all work for it; the first reason counts. */
  stop(reason: ApiError): void {
    this.controller.abort(reason);
  }

  passDeadline(): void {
    this.stop(this.attributed(new ApiError('deadline_exceeded', DEADLINE_PASSED)));
  }

  /** The call's own deadline has passed, as the client's end of the connection knows, too. */
  passClientsDeadline(): void {
    this.isClientsDeadline = true;
    this.passDeadline();
  }

  /** A deadline that passed, whoever noticed it first, counted as the client's where the client set it; anything else as it is. */
  attributed<Cause>(cause: Cause): Cause | ApiError {
    const isOwn = this.isClientsDeadline && cause instanceof ApiError && cause.condition === 'deadline_exceeded';
    if (!isOwn || cause.countedAs === 'client_deadline') return cause;
    return new ApiError('deadline_exceeded', cause.message, { cause, countedAs: 'client_deadline' });
  }

  clientGone(): void {
    this.stop(new ApiError('client_closed', 'The client closed the connection.'));
  }

  /** Nothing more is to come. */
  close(): void {
    clearTimeout(this.timer);
  }
}

function sloTtftMsOf(header: string | undefined): number | undefined {
  if (header === undefined || header === '') return undefined;
  const ms = /^[0-9]{1,10}$/.test(header) ? Number(header) : 0;
  if (ms >= 1 && ms <= LONGEST_TIMER_MS) return ms;
  const message = `Invalid 'x-slo-ttft-ms': expected a whole number of milliseconds from 1 to ${LONGEST_TIMER_MS}.`;
  throw new ApiError('invalid_value', message, { param: 'x-slo-ttft-ms' });
}
