import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { ApiError } from '#lib/openai';

/** The requests that stand in for messages which could not be decoded, with the reason. */
const undecoded = new WeakMap<object, unknown>();

/**
 * The service, with messages that cannot be decoded handed on as empty ones: grpc-js would answer `INTERNAL` without a word
 * about the cause, as if the fault were ours. `assertDecoded` then refuses them.
 */
export function withLenientDecoding<Service extends ServiceDefinition>(service: Service): Service {
  const methods = Object.entries(service).map(([name, method]) => [name, lenient(method)]);
  return Object.fromEntries(methods) as Service; // the same methods, by the same names
}

/** @throws ApiError for a message that could not be decoded */
export function assertDecoded(request: unknown): void {
  const cause = typeof request === 'object' && request !== null ? undecoded.get(request) : undefined;
  if (cause === undefined) return;
  const reason = cause instanceof Error ? cause.message : String(cause);
  // Of the public messages only `seed` has 64 bits.
  if (/MAX_SAFE_INTEGER/.test(reason)) {
    const message = `Invalid 'seed': expected a value <= ${Number.MAX_SAFE_INTEGER}.`;
    throw new ApiError('invalid_value', message, { param: 'seed', cause });
  }
  throw new ApiError('bad_request', `The message cannot be decoded: ${reason}.`, { cause });
}

function lenient<Request, Response>(method: MethodDefinition<Request, Response>): MethodDefinition<Request, Response> {
  const requestDeserialize = (bytes: Buffer): Request => {
    try {
      return method.requestDeserialize(bytes);
    } catch (error) {
      const empty = method.requestDeserialize(Buffer.alloc(0));
      undecoded.set(empty as object, error); // a message is an object
      return empty;
    }
  };
  return { ...method, requestDeserialize };
}
