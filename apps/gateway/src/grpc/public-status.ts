import { Metadata, type ServerInterceptingCallInterface, status } from '@grpc/grpc-js';
import { ApiError, type ErrorCount, toGrpcErrorMetadata } from '#lib/openai';

/** What a call ends with. */
export type CallStatus = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/** The status of an error, with the words of REST in the trailers. */
export function statusOf(
  error: ApiError,
  code: status = error.grpcStatus,
): CallStatus & { readonly metadata: Metadata } {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(toGrpcErrorMetadata(error))) metadata.set(key, value);
  if (error.countedAs !== error.condition) countedApart.set(metadata, error.countedAs);
  return { code, details: error.message, metadata };
}

/** By trailers, of errors that metrics count as something else than what clients are told. */
const countedApart = new WeakMap<Metadata, ErrorCount>();

/** @returns what the end counts as in metrics; undefined for a failure that grpc-js found by itself */
export function countedAs(ended: CallStatus): string | undefined {
  return (ended.metadata && countedApart.get(ended.metadata)) ?? conditionOf(ended);
}

/** @returns `ok`, the `code` of the error, or undefined for a failure that grpc-js found by itself */
export function conditionOf({ code, metadata }: CallStatus): string | undefined {
  return code === status.OK ? 'ok' : metadata?.get('hydra-error-code')[0]?.toString();
}

/**
 * What grpc-js refuses by itself, in our words; it tells its reasons apart by the text alone. The numbers are those that gRPC
 * asks for, except that a broken request is no `INTERNAL` fault of ours.
 * @returns undefined for what is no fault of the client
 * @see https://grpc.io/docs/guides/status-codes/, https://github.com/grpc/grpc/blob/master/doc/compression.md
 */
export function refusalByLibrary({ code, details }: CallStatus): CallStatus | undefined {
  const refusal = (message: string) => statusOf(new ApiError('bad_request', message));
  switch (code) {
    case status.DEADLINE_EXCEEDED:
      return statusOf(
        new ApiError('deadline_exceeded', "The call's deadline passed before the answer was complete.", {
          countedAs: 'client_deadline', // it came with the call
        }),
      );
    case status.RESOURCE_EXHAUSTED:
      if (!details.startsWith('Received')) return undefined; // it is ours that is too large
      return statusOf(new ApiError('request_too_large', `The message is too large: ${details}.`));
    case status.UNIMPLEMENTED:
      return details.includes('encoding')
        ? statusOf(new ApiError('unsupported_media_type', 'Messages may be packed with gzip or deflate.'), code)
        : statusOf(new ApiError('bad_request', 'A call of this method has exactly one whole message.'), code);
    case status.INTERNAL:
      if (details.includes('grpc-timeout')) return refusal(`${details}.`);
      if (details.includes('decompress')) return refusal('The message cannot be unpacked as grpc-encoding says.');
      if (/^Internal server error|^Error writing message/.test(details)) return CLIENT_GONE; // an answer that nobody takes
      return undefined;
    default:
      return undefined;
  }
}

/** Only seen in metrics. */
export const CLIENT_GONE = statusOf(new ApiError('client_closed', 'The client cancelled the call.'));
