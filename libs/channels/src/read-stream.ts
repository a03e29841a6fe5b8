import type { ClientReadableStream } from '@grpc/grpc-js';
import { GrpcStatusError } from './grpc-status-error.js';

/**
 * The messages of a server's stream, no faster than they are taken. The call is cancelled when the signal aborts, and when its reader
 * leaves early.
 * @throws GrpcStatusError when the server refuses or is lost; the signal's reason when it aborts
 */
export async function* readStream<Message>(
  open: () => ClientReadableStream<Message>,
  signal: AbortSignal,
): AsyncGenerator<Message, void, void> {
  signal.throwIfAborted();
  const call = open();
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    yield* call as AsyncIterable<Message>;
    signal.throwIfAborted();
  } catch (error) {
    signal.throwIfAborted();
    throw GrpcStatusError.from(error);
  } finally {
    signal.removeEventListener('abort', cancel);
    call.cancel(); // one that was given up half read; one that has ended does not mind
  }
}
