import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { ApiError } from '#lib/openai';
import { statusOf } from './public-status.js';

/**
 * Ends calls whose one message does not arrive whole in time: without it, half a message and then silence would be kept for as
 * long as its client lives. Methods that take a stream (reflection) may wait for the next message as long as they like.
 */
export function receiveTimeout(timeoutMs: number): ServerInterceptor {
  return ({ requestStream }, call) => {
    if (requestStream) return new ServerInterceptingCall(call);
    const timer = setTimeout(() => {
      call.sendStatus(statusOf(new ApiError('request_timeout', 'The message did not arrive in time.')));
    }, timeoutMs);
    const stop = () => clearTimeout(timer);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveHalfClose: (pass) => {
            stop();
            pass();
          },
          onCancel: stop, // at every other end, too
        }),
    });
  };
}
