import { describe, expect, it } from 'vitest';
import { FailureCode, RefusalReason } from '#lib/contracts';
import {
  API_ERRORS,
  ApiError,
  type ErrorCondition,
  GRPC_STATUS,
  internalError,
  modelNotFound,
  toErrorBody,
  toGrpcErrorMetadata,
} from './errors.js';
import { fromRefusal, fromWorkerFailure } from './failures.js';

const CONDITIONS = Object.keys(API_ERRORS) as ErrorCondition[]; // the table's own keys

describe('the error table', () => {
  it.each(CONDITIONS)('given %s, then body, status and metadata agree with the table', (condition) => {
    const error = new ApiError(condition, 'Sentence.', { param: 'prompt[1]' });
    const definition = API_ERRORS[condition];
    expect(toErrorBody(error)).toEqual({
      error: { message: 'Sentence.', type: definition.type, param: 'prompt[1]', code: condition },
    });
    expect(error.httpStatus).toBe(definition.httpStatus);
    expect(error.grpcStatus).toBe(GRPC_STATUS[definition.grpcStatus]);
    expect(toGrpcErrorMetadata(error)).toMatchObject({
      'hydra-error-code': condition,
      'hydra-error-type': definition.type,
      'hydra-error-param': 'prompt[1]',
    });
  });

  it('given a fault of the client, then 4xx, else 5xx; and every 429 and 503 says when to come back', () => {
    for (const condition of CONDITIONS) {
      const { httpStatus, type } = API_ERRORS[condition];
      const ofLimit = condition === 'insufficient_quota' ? condition : 'requests';
      const ofClient = httpStatus === 429 ? ofLimit : 'invalid_request_error';
      expect(type).toBe(httpStatus < 500 ? ofClient : 'server_error');
      if (httpStatus === 503 || httpStatus === 429) expect(new ApiError(condition, '').retryAfterS).toBeGreaterThan(0);
    }
  });

  it('given a hint in milliseconds, then Retry-After is rounded up to seconds', () => {
    expect(new ApiError('saturated', '', { retryAfterMs: 1_200 }).retryAfterS).toBe(2);
    expect(new ApiError('saturated', '', { retryAfterMs: 0 }).retryAfterS).toBe(1);
  });

  it('given an unexpected fault, then the client sees its id and nothing else', () => {
    const body = JSON.stringify(toErrorBody(internalError('e-17', new Error('password=hunter2'))));
    expect(body).toContain('e-17');
    expect(body).not.toContain('hunter2');
  });

  it('given a huge model name, then the message stays small', () => {
    expect(modelNotFound('x'.repeat(1_000_000)).message.length).toBeLessThan(120);
    const emoji = modelNotFound('😀'.repeat(100)).message; // of two UTF-16 units each: none is cut in half
    expect(emoji).toBe(`The model '${'😀'.repeat(30)}...' does not exist.`);
  });

  it('given a param beyond ASCII, then the metadata is still a legal value', () => {
    const error = new ApiError('invalid_value', '', { param: 'größe\n' });
    expect(toGrpcErrorMetadata(error)['hydra-error-param']).toBe('gr??e?');
  });
});

describe('failures of workers and refusals of the scheduler', () => {
  it.each([
    [FailureCode.SATURATED, 'saturated'],
    [FailureCode.DRAINING, 'draining'],
    [FailureCode.STALE_EPOCH, 'worker_lost'],
    [FailureCode.WORKER_LOST, 'worker_lost'],
    [FailureCode.UNKNOWN_MODEL, 'no_worker'],
    [FailureCode.INVALID_REQUEST, 'invalid_value'],
    [FailureCode.DEADLINE_EXCEEDED, 'deadline_exceeded'],
    [FailureCode.ENGINE_ERROR, 'engine_error'],
    [FailureCode.UNSPECIFIED, 'engine_error'],
    [99 as FailureCode, 'engine_error'], // of a newer worker
  ])('given failure %s, then %s with a sentence', (code, condition) => {
    const error = fromWorkerFailure({ code, message: '' });
    expect(error.condition).toBe(condition);
    expect(error.message).toMatch(/^[A-Z].*\.$/);
  });

  it('given a parameter the worker refuses, then it is named, in a sentence that stands alone', () => {
    const failure = { code: FailureCode.INVALID_REQUEST, message: 'It must be from 1 to 128.', parameter: 'n' };
    expect(toErrorBody(fromWorkerFailure(failure)).error).toMatchObject({
      code: 'invalid_value',
      param: 'n',
      message: "Invalid 'n': It must be from 1 to 128.",
    });
  });

  it.each([
    [RefusalReason.NO_WORKER, 'no_worker'],
    [RefusalReason.QUEUE_FULL, 'queue_full'],
    [RefusalReason.WAIT_EXPIRED, 'wait_expired'],
    [RefusalReason.UNSERVICEABLE, 'context_length_exceeded'],
    [RefusalReason.ATTEMPTS_EXHAUSTED, 'saturated'],
    [RefusalReason.DEADLINE_UNREACHABLE, 'slo_unreachable'],
    [RefusalReason.SHUTTING_DOWN, 'draining'],
    [RefusalReason.UNSPECIFIED, 'no_worker'],
  ])('given refusal %s, then %s with the hint', (reason, condition) => {
    const error = fromRefusal({ reason, message: '', retryAfterMs: 7_000 });
    expect(error).toMatchObject({ condition, retryAfterS: 7 });
    expect(error.message).toMatch(/^[A-Z].*\.$/);
  });
});
