import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError, toErrorBody } from '#lib/openai';
import { JSON_TYPE } from './error.filter.js';

/** Answers in the one shape what Node would answer by itself without a body, or not at all; no route sees it. */
export function answerUnroutable(server: Server): void {
  server.on('checkExpectation', ({ headers }: IncomingMessage, response: ServerResponse) => {
    const asked = headers.expect?.slice(0, 32);
    const error = new ApiError('expectation_failed', `Expect '${asked}' is not supported; only 100-continue is.`);
    const body = JSON.stringify(toErrorBody(error));
    // The body that was announced may still come, or not: the connection cannot be used again.
    response.writeHead(error.httpStatus, {
      ...{ 'content-type': JSON_TYPE, 'content-length': Buffer.byteLength(body), connection: 'close' },
    });
    response.end(body);
  });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    // Node would ask for the body at once: it is asked for when somebody reads it, and never when the request is refused before.
    request.once('resume', () => {
      if (!response.headersSent) response.writeContinue();
    });
    server.emit('request', request, response);
  });
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => {}); // Node has let go of it
    endWith(socket, new ApiError('method_not_allowed', 'The method CONNECT is not allowed: this is no proxy.'));
  });
}

/** Answers what Node's parser refused, or what did not arrive in time; there is no request object yet. */
export function answerBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
  const current = (socket as Duplex & { _httpMessage?: { headersSent: boolean } })._httpMessage; // Node's own bookkeeping
  const hasNoTls = /^ERR_(SSL|TLS)_/.test(error.code ?? ''); // refused before there is anything to answer in
  if (error.code === 'ECONNRESET' || hasNoTls || !socket.writable || current?.headersSent === true) {
    socket.destroy(); // nobody reads, or an answer is under way that must not be written into
    return;
  }
  endWith(socket, toBrokenRequestError(error.code));
}

function endWith(socket: Duplex, error: ApiError): void {
  const body = JSON.stringify(toErrorBody(error));
  const head = [
    `HTTP/1.1 ${error.httpStatus} ${STATUS_CODES[error.httpStatus]}`,
    `content-type: ${JSON_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function toBrokenRequestError(code: string | undefined): ApiError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ApiError('request_timeout', 'The request did not arrive in time.');
    case 'HPE_HEADER_OVERFLOW':
      return new ApiError('request_head_too_large', 'The headers of the request are too large.');
    default:
      return new ApiError('bad_request', 'The request is not valid HTTP.');
  }
}
