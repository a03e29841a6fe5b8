import { FailureCode, RefusalReason } from '#lib/contracts';
import { ApiError, type ErrorCondition } from './errors.js';

/** What a worker's `Failed` says, as far as the client's answer depends on it. */
export interface WorkerFailure {
  readonly code: FailureCode;
  readonly message: string;
  /** Empty when no parameter is at fault. */
  readonly parameter?: string;
  readonly retryAfterMs?: number;
}

/** A worker's failure that was not, or could not be, placed again. Its message is for people already. */
export function fromWorkerFailure(failure: WorkerFailure): ApiError {
  const condition = conditionOfFailure(failure.code);
  const message = failure.message || defaultMessage(condition);
  return new ApiError(condition, failure.parameter ? `Invalid '${failure.parameter}': ${message}` : message, {
    param: failure.parameter || undefined,
    retryAfterMs: failure.retryAfterMs,
  });
}

/** Why the scheduler gave no lease. */
export function fromRefusal(refusal: { reason: RefusalReason; message: string; retryAfterMs: number }): ApiError {
  const condition = conditionOfRefusal(refusal.reason);
  return new ApiError(condition, refusal.message || defaultMessage(condition), {
    param: condition === 'context_length_exceeded' ? 'max_tokens' : undefined,
    retryAfterMs: refusal.retryAfterMs,
  });
}

function conditionOfFailure(code: FailureCode): ErrorCondition {
  switch (code) {
    case FailureCode.SATURATED:
      return 'saturated';
    case FailureCode.DRAINING:
      return 'draining';
    case FailureCode.UNKNOWN_MODEL:
      return 'no_worker';
    case FailureCode.INVALID_REQUEST:
      return 'invalid_value';
    case FailureCode.DEADLINE_EXCEEDED:
      return 'deadline_exceeded';
    case FailureCode.STALE_EPOCH:
    case FailureCode.WORKER_LOST:
      return 'worker_lost';
    case FailureCode.ENGINE_ERROR:
    case FailureCode.UNSPECIFIED:
      return 'engine_error';
    default:
      return 'engine_error'; // a newer worker's code
  }
}

function conditionOfRefusal(reason: RefusalReason): ErrorCondition {
  switch (reason) {
    case RefusalReason.QUEUE_FULL:
      return 'queue_full';
    case RefusalReason.WAIT_EXPIRED:
      return 'wait_expired';
    case RefusalReason.UNSERVICEABLE:
      return 'context_length_exceeded';
    case RefusalReason.DEADLINE_UNREACHABLE:
      return 'slo_unreachable';
    case RefusalReason.ATTEMPTS_EXHAUSTED:
      return 'saturated';
    case RefusalReason.SHUTTING_DOWN:
      return 'draining';
    case RefusalReason.NO_WORKER:
    case RefusalReason.UNSPECIFIED:
      return 'no_worker';
    default:
      return 'no_worker'; // a newer scheduler's reason
  }
}

function defaultMessage(condition: ErrorCondition): string {
  switch (condition) {
    case 'saturated':
      return 'All workers of this model are busy. Please try again.';
    case 'queue_full':
      return 'Too many requests are waiting for this model. Please try again later.';
    case 'wait_expired':
      return 'No worker had room for the request in time. Please try again later.';
    case 'draining':
      return 'The server is shutting down. Please try again.';
    case 'no_worker':
      return 'No worker serves this model at present. Please try again later.';
    case 'worker_lost':
      return 'The worker was lost while it generated the answer. Please try again.';
    case 'slo_unreachable':
      return 'The first token cannot come within the time asked for. Please try again later.';
    case 'deadline_exceeded':
      return "The request's deadline passed before the answer was complete.";
    case 'context_length_exceeded':
      return 'No worker has room for a request of this length.';
    default:
      return 'The engine could not complete the request.';
  }
}
