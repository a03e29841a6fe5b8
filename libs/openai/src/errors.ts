/** Numbers of the gRPC status codes we answer with. @see https://grpc.io/docs/guides/status-codes/ */
export const GRPC_STATUS = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export type GrpcStatusName = keyof typeof GRPC_STATUS;

/** `type` of the error body: whose fault it is, or which limit was reached. */
export const ERROR_TYPES = [
  'invalid_request_error',
  'requests',
  'tokens',
  'insufficient_quota',
  'server_error',
] as const;

export type ErrorType = (typeof ERROR_TYPES)[number];

export interface ErrorDefinition {
  readonly httpStatus: number;
  readonly grpcStatus: GrpcStatusName;
  readonly type: ErrorType;
  /** `Retry-After`, in seconds; absent when the same request will not do better later. */
  readonly retryAfterS?: number;
  /** When it happens, for `docs/errors.md`. */
  readonly when: string;
}

/**
 * Every error the public API can answer with, by its `code`. One table for REST, gRPC, the error event in a stream, the
 * documentation and the tests.
 */
export const API_ERRORS = {
  invalid_json: invalid(400, 'INVALID_ARGUMENT', 'The body is empty, not valid UTF-8, not JSON or not an object.'),
  too_deep: invalid(
    400,
    'INVALID_ARGUMENT',
    'The body is nested deeper than `gateway.bodyDepth`, or has more than 262,144 arrays and objects.',
  ),
  invalid_type: invalid(400, 'INVALID_ARGUMENT', 'A parameter has the wrong type.'),
  invalid_value: invalid(
    400,
    'INVALID_ARGUMENT',
    'A parameter is out of range, too long, empty or not one of the values allowed.',
  ),
  missing_required_parameter: invalid(400, 'INVALID_ARGUMENT', 'A parameter that must be there is absent or null.'),
  unsupported_parameter: invalid(
    400,
    'INVALID_ARGUMENT',
    'A parameter is known, but not supported here or by this model.',
  ),
  context_length_exceeded: invalid(400, 'INVALID_ARGUMENT', "Prompt and output together exceed the model's context."),
  bad_request: invalid(
    400,
    'INVALID_ARGUMENT',
    'The request is not valid HTTP, or its gRPC message cannot be decoded.',
  ),
  invalid_api_key: invalid(
    401,
    'UNAUTHENTICATED',
    'No key or token was sent, or one that is unknown, expired, revoked or of a suspended tenant.',
  ),
  insufficient_permissions: invalid(403, 'PERMISSION_DENIED', 'The credential lacks the scope or the roles for it.'),
  model_not_found: invalid(404, 'NOT_FOUND', 'The model or alias does not exist, or may not be used.'),
  not_found: invalid(404, 'NOT_FOUND', 'There is no such tenant, service account, key, policy or entry.'),
  route_not_found: invalid(404, 'UNIMPLEMENTED', 'The path does not exist.'),
  method_not_allowed: invalid(405, 'UNIMPLEMENTED', 'The path exists, but not with this method.'),
  already_exists: invalid(409, 'ALREADY_EXISTS', 'The name is taken, or the key to be rotated is not good any more.'),
  idempotency_key_in_use: invalid(409, 'ALREADY_EXISTS', 'A request with this `Idempotency-Key` is still running.'),
  idempotency_key_reused: invalid(
    422,
    'INVALID_ARGUMENT',
    'The `Idempotency-Key` was used with another body or on another path.',
  ),
  request_timeout: invalid(
    408,
    'DEADLINE_EXCEEDED',
    'Head and body, or the message of gRPC, did not arrive within `gateway.receiveTimeoutMs`.',
  ),
  request_too_large: invalid(413, 'RESOURCE_EXHAUSTED', 'The body is larger than `gateway.bodyBytes`.'),
  unsupported_media_type: invalid(415, 'INVALID_ARGUMENT', 'The body is not `application/json`.'),
  expectation_failed: invalid(417, 'UNIMPLEMENTED', 'The header `Expect` asks for something else than `100-continue`.'),
  request_head_too_large: invalid(431, 'RESOURCE_EXHAUSTED', 'The headers are too large.'),
  rate_limit_exceeded: {
    httpStatus: 429,
    grpcStatus: 'RESOURCE_EXHAUSTED',
    type: 'requests',
    retryAfterS: 1,
    when: 'A limit by the minute or at once is reached (`tokens` when it is that of tokens), or more bad credentials came from the address than `auth.freeFailures`.',
  },
  insufficient_quota: {
    httpStatus: 429,
    grpcStatus: 'RESOURCE_EXHAUSTED',
    type: 'insufficient_quota',
    retryAfterS: 1,
    when: 'A quota or budget of the day or the month is used up, or reserved by requests that run.',
  },
  slo_unreachable: {
    httpStatus: 429,
    grpcStatus: 'RESOURCE_EXHAUSTED',
    type: 'requests',
    retryAfterS: 1,
    when: 'The first token cannot come within `x-slo-ttft-ms`, or did not; said as soon as it is known. `Retry-After` is made of the queue.',
  },
  client_closed: invalid(
    499,
    'CANCELLED',
    'The client went away, or said that it will send nothing more; only seen in logs and metrics.',
  ),
  internal_error: server(
    500,
    'INTERNAL',
    'A fault in HydraServe; the message has an error id that is in the log, too.',
  ),
  engine_error: server(500, 'INTERNAL', 'The engine failed on this request and it could not be placed again.'),
  worker_lost: server(502, 'UNAVAILABLE', 'The worker went away after the answer had begun, or too often before.', 1),
  auth_unavailable: server(
    503,
    'UNAVAILABLE',
    'The database or the issuer that credentials are checked with is away.',
    1,
  ),
  limits_unavailable: server(
    503,
    'UNAVAILABLE',
    'Where limits are counted cannot be reached, or it did not hear of the request for too long.',
    1,
  ),
  no_worker: server(503, 'UNAVAILABLE', 'No live worker serves the model at present.', 5),
  saturated: server(503, 'UNAVAILABLE', 'Every worker asked was full.', 1),
  queue_full: server(503, 'UNAVAILABLE', 'As many requests wait as `scheduler.queueLength` allows.', 1),
  wait_expired: server(503, 'UNAVAILABLE', 'No room within `scheduler.queueTimeoutMs`.', 1),
  overloaded: server(503, 'UNAVAILABLE', 'As many requests are in flight as `gateway.concurrentRequests` allows.', 1),
  draining: server(503, 'UNAVAILABLE', 'The server is shutting down.', 1),
  deadline_exceeded: server(504, 'DEADLINE_EXCEEDED', "The request's deadline passed."),
} as const satisfies Record<string, ErrorDefinition>;

/** `code` of the error body. */
export type ErrorCondition = keyof typeof API_ERRORS;

/** The error body of every answer, gRPC trailer and in-stream event. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: ErrorType;
    readonly param: string | null;
    readonly code: ErrorCondition;
  };
}

export interface ApiErrorOptions {
  /** The parameter at fault, in the public spelling: `messages[2].content`. */
  readonly param?: string;
  /** Overrides the table's. */
  readonly type?: ErrorType;
  /** Overrides the table's, in milliseconds; 0 and absent do not. Infinity: the same request never does better. */
  readonly retryAfterMs?: number;
  /** What is behind it; for the log, never for the client. */
  readonly cause?: unknown;
  /** What metrics count it as; default: the condition. */
  readonly countedAs?: ErrorCount;
}

/** How an error is counted: as its condition, or `client_deadline` for a deadline that the client set itself, which is no fault of ours. */
export type ErrorCount = ErrorCondition | 'client_deadline';

/** An answer other than success. Thrown by this library for every bad request, and by the gateway for the rest. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly param: string | undefined;
  readonly type: ErrorType;
  readonly httpStatus: number;
  readonly grpcStatus: number;
  /** Value of `Retry-After`, in whole seconds. */
  readonly retryAfterS: number | undefined;
  readonly countedAs: ErrorCount;

  constructor(
    readonly condition: ErrorCondition,
    message: string,
    options: ApiErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    const definition: ErrorDefinition = API_ERRORS[condition];
    this.param = options.param;
    this.type = options.type ?? definition.type;
    this.httpStatus = definition.httpStatus;
    this.grpcStatus = GRPC_STATUS[definition.grpcStatus];
    this.retryAfterS = retryAfterS(options.retryAfterMs, definition);
    this.countedAs = options.countedAs ?? condition;
  }
}

export function toErrorBody(error: ApiError): ErrorBody {
  return { error: { message: error.message, type: error.type, param: error.param ?? null, code: error.condition } };
}

/** Trailing metadata of a gRPC error, in the words of the REST body. */
export function toGrpcErrorMetadata(error: ApiError): Readonly<Record<string, string>> {
  return {
    'hydra-error-code': error.condition,
    'hydra-error-type': error.type,
    ...(error.param === undefined ? {} : { 'hydra-error-param': asciiOnly(error.param) }),
    ...(error.retryAfterS === undefined ? {} : { 'retry-after': String(error.retryAfterS) }),
  };
}

/** An unexpected fault, for the client: nothing of it but an id to look up in the log. */
export function internalError(errorId: string, cause?: unknown): ApiError {
  return new ApiError(
    'internal_error',
    `The server had an error while processing your request. Error id: ${errorId}.`,
    {
      cause,
    },
  );
}

export function modelNotFound(model: string): ApiError {
  return new ApiError('model_not_found', `The model '${shortened(model)}' does not exist.`, { param: 'model' });
}

/** At most 64 characters of what the client sent, for use in a message. */
export function shortened(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 61).replace(/[\ud800-\udbff]$/, '')}...`; // no half of a character
}

function retryAfterS(ms: number | undefined, definition: ErrorDefinition): number | undefined {
  if (!ms) return definition.retryAfterS;
  return ms === Infinity ? undefined : Math.ceil(ms / 1_000);
}

/** Metadata values are printable ASCII. */
function asciiOnly(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

function invalid(httpStatus: number, grpcStatus: GrpcStatusName, when: string): ErrorDefinition {
  return { httpStatus, grpcStatus, type: 'invalid_request_error', when };
}

function server(httpStatus: number, grpcStatus: GrpcStatusName, when: string, retryAfterS?: number): ErrorDefinition {
  return { httpStatus, grpcStatus, type: 'server_error', when, ...(retryAfterS === undefined ? {} : { retryAfterS }) };
}
