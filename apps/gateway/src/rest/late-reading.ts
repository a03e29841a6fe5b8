import type { IncomingMessage } from 'node:http';

/**
 * Lets a client read its answer though its body was not wanted. Node closes the connection with the answer; a client that is still
 * sending then has a reset (undici: `EPIPE`), which takes the answer with it. So only our half is closed, and what still comes is thrown
 * away as it comes, for as long as a body may take: a request that has not arrived in `gateway.receiveTimeoutMs` is cut off as any other.
 */
export function readOnAfterAnswer(request: IncomingMessage): void {
  if (request.complete) return;
  const { socket } = request;
  socket.destroySoon = () => {
    socket.end();
    request.resume();
  };
}
