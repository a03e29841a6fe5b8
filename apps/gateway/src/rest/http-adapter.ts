import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HydraConfig } from '#lib/config';
import { requestIdFrom } from '#lib/observability';
import { ApiError, toErrorBody } from '#lib/openai';

/** Most bytes of a request's head. Node's own default, said aloud because it is a limit of ours. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Time an idle connection is kept for its next request: Fastify's default, longer than the 60 s of common load balancers. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** How often, at least, Node looks for connections whose time is over, in milliseconds. */
const LONGEST_CHECK_INTERVAL_MS = 250;
/** Time for the last event of a request that ran into its deadline. */
const LAST_EVENT_MS = 1_000;

/**
 * The HTTP server with its limits: a request's head and body must arrive within `receiveTimeoutMs`, bodies are raw bytes of
 * at most `bodyBytes`, a client that takes nothing for longer than a request may last is cut off, and what is not HTTP gets
 * an OpenAI-shaped answer, too.
 */
export function createHttpAdapter({ gateway }: HydraConfig): FastifyAdapter {
  const { receiveTimeoutMs, requestTimeoutMs, bodyBytes } = gateway;
  const checkIntervalMs = Math.max(20, Math.min(LONGEST_CHECK_INTERVAL_MS, receiveTimeoutMs / 10));
  // Node cuts a connection at the first look after its time, which may come late by an interval.
  const timeoutMs = Math.max(1, Math.floor(receiveTimeoutMs - 2 * checkIntervalMs));
  const adapter = new FastifyAdapter({
    http: {
      headersTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      connectionsCheckingInterval: checkIntervalMs,
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false, // the hook below answers in the one shape
      noDelay: true,
    },
    requestTimeout: timeoutMs,
    connectionTimeout: requestTimeoutMs + LAST_EVENT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    bodyLimit: bodyBytes,
    genReqId: (request: IncomingMessage) => requestIdFrom(request.headers['x-request-id']),
    requestIdHeader: false,
    routerOptions: { maxParamLength: 512 },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      const answer = new ApiError('bad_request', `The request is not valid: ${error.message}.`);
      void reply.status(answer.httpStatus).header('x-request-id', request.id).send(toErrorBody(answer));
    },
  });
  const instance = adapter.getInstance();
  instance.removeAllContentTypeParsers();
  // The bytes as they came: libs/openai checks depth and encoding before anything is built from them.
  instance.addContentTypeParser(/^application\/([\w.+-]+\+)?json\b/i, { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  instance.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    if (request.headers.host === undefined && request.raw.httpVersion === '1.1') {
      return done(new ApiError('bad_request', "The header 'Host' is missing."));
    }
    const encoding = request.headers['content-encoding'];
    if (encoding === undefined || encoding.toLowerCase() === 'identity') return done();
    done(new ApiError('unsupported_media_type', `Content-Encoding '${encoding.slice(0, 32)}' is not supported.`));
  });
  return adapter;
}

/** Answers what Node's parser refused, or what did not arrive in time; there is no request object yet. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  const current = (socket as Socket & { _httpMessage?: { headersSent: boolean } })._httpMessage; // Node's own bookkeeping
  if (error.code === 'ECONNRESET' || !socket.writable || current?.headersSent === true) {
    socket.destroy(); // nobody reads, or an answer is under way that must not be written into
    return;
  }
  const answer = toBrokenRequestError(error.code);
  const body = JSON.stringify(toErrorBody(answer));
  const head = [
    `HTTP/1.1 ${answer.httpStatus} ${STATUS_WORDS[answer.httpStatus] ?? 'Bad Request'}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

const STATUS_WORDS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

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
