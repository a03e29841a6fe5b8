import { setTimeout as sleep } from 'node:timers/promises';
import { type CallOptions, type ClientUnaryCall, Metadata, type ServiceError } from '@grpc/grpc-js';
import { BackOff } from './back-off.js';
import { GrpcStatusError } from './grpc-status-error.js';

/** A unary method of a generated client, bound to it: `client.place.bind(client)`. */
export type UnaryMethod<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

export interface UnaryOptions {
  /** Most time for the call with all its retries, in milliseconds. */
  readonly timeoutMs: number;
  /** Cancels the call at the server too; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly metadata?: Metadata;
  /** Further attempts while nobody answers; only for calls that may be carried out twice. Default 0. */
  readonly retries?: number;
}

/**
 * A unary call as a promise.
 * @throws GrpcStatusError for any status but OK; the signal's reason when it aborts
 */
export async function callUnary<Request, Response>(
  method: UnaryMethod<Request, Response>,
  request: Request,
  options: UnaryOptions,
): Promise<Response> {
  const { timeoutMs, signal, retries = 0 } = options;
  const deadline = Date.now() + timeoutMs;
  const backOff = new BackOff();
  for (let attempt = 0; ; attempt++) {
    try {
      return await callOnce(method, request, deadline, options);
    } catch (error) {
      signal?.throwIfAborted();
      const failure = GrpcStatusError.from(error);
      const waitMs = backOff.nextMs();
      if (!failure.isUnavailable || attempt >= retries || Date.now() + waitMs >= deadline) throw failure;
      await sleep(waitMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
    }
  }
}

function callOnce<Request, Response>(
  method: UnaryMethod<Request, Response>,
  request: Request,
  deadline: number,
  { signal, metadata = new Metadata() }: UnaryOptions,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const call = method(request, metadata, { deadline }, (error, response) => {
      signal?.removeEventListener('abort', cancel);
      if (error) reject(error);
      else resolve(response);
    });
    const cancel = () => call.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
  });
}
