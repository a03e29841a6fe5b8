import type { IncomingMessage } from 'node:http';

/**
 * Lets a client read its answer though its body was not wanted. Node closes the connection with the answer; a client that is still
 * sending then has a reset (undici: `EPIPE`), which takes the answer with it. So only our half is closed, and what still comes is thrown
 * away as it comes, until all of it is there: a request that has not arrived in `gateway.receiveTimeoutMs` is cut off as any other.
 */
export function readOnAfterAnswer(request: IncomingMessage): void {
  if (request.complete) return;
  const { socket } = request;
  const close = socket.destroySoon.bind(socket);
  socket.destroySoon = () => {
    socket.end();
    if (request.readableEnded) close();
    else request.once('end', close).resume();
  };
}
