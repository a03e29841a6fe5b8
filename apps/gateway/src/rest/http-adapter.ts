import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { guardTlsServer, type TlsListenerOptions, tlsServerOptions } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { requestIdFrom } from '#lib/observability';
import { ApiError, toErrorBody } from '#lib/openai';
import { answerBroken, answerUnroutable } from './broken-requests.js';

/** Most bytes of a request's head. Node's own default, said aloud because it is a limit of ours. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Time an idle connection is kept for its next request: Fastify's default, longer than the 60 s of common load balancers. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** Most characters of a part of a path that stands for an id. */
const MAX_PATH_PART = 512;
/** How often, at least, Node looks for connections whose time is over, in milliseconds. */
const LONGEST_CHECK_INTERVAL_MS = 250;
/** Time for the last event of a request that ran into its deadline. */
const LAST_EVENT_MS = 1_000;

/**
 * The HTTP server with its limits: a request's head and body must arrive within `receiveTimeoutMs`, bodies are raw bytes of
 * at most `bodyBytes`, a client that takes nothing for longer than a request may last is cut off, and what is not HTTP gets
 * an OpenAI-shaped answer, too.
 * @param tls  absent for HTTP in the clear
 */
export function createHttpAdapter({ gateway }: HydraConfig, tls?: TlsListenerOptions): FastifyAdapter {
  const { receiveTimeoutMs, requestTimeoutMs, bodyBytes } = gateway;
  const checkIntervalMs = Math.max(20, Math.min(LONGEST_CHECK_INTERVAL_MS, receiveTimeoutMs / 10));
  // Node cuts a connection at the first look after its time, which may come late by an interval.
  const timeoutMs = Math.max(1, Math.floor(receiveTimeoutMs - 2 * checkIntervalMs));
  const http = {
    headersTimeout: timeoutMs,
    requestTimeout: timeoutMs,
    connectionsCheckingInterval: checkIntervalMs,
    maxHeaderSize: MAX_HEADER_BYTES,
    requireHostHeader: false, // the hook below answers in the one shape
    noDelay: true,
  };
  const connectionTimeout = requestTimeoutMs + LAST_EVENT_MS;
  const adapter = new FastifyAdapter({
    ...(tls === undefined
      ? { http }
      : { serverFactory: (handler: RequestListener) => createTlsServer(handler, http, connectionTimeout, tls) }),
    requestTimeout: timeoutMs,
    connectionTimeout,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    bodyLimit: bodyBytes,
    genReqId: (request: IncomingMessage) => requestIdFrom(request.headers['x-request-id']),
    requestIdHeader: false,
    trustProxy: gateway.trustedProxies.length > 0 ? [...gateway.trustedProxies] : false,
    routerOptions: { maxParamLength: MAX_PATH_PART },
    clientErrorHandler: answerBroken,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      const answer = new ApiError('bad_request', `The request is not valid: ${toReason(error)}.`);
      void reply.status(answer.httpStatus).header('x-request-id', request.id).send(toErrorBody(answer));
    },
  });
  const instance = adapter.getInstance();
  instance.removeAllContentTypeParsers();
  // The bytes as they came: libs/openai checks depth and encoding before anything is built from them.
  instance.addContentTypeParser(/^application\/([\w.+-]+\+)?json\b/i, { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  answerUnroutable(instance.server);
  instance.addHook('onRequest', (request, reply, done) => {
    // Behind a body that was too large, on a connection that is being closed: its answer could not be read.
    if (request.raw.socket.writableEnded) return void reply.hijack();
    void reply.header('x-request-id', request.id);
    const hosts = hostCount(request.raw);
    if (hosts > 1 || (hosts === 0 && request.raw.httpVersion === '1.1')) {
      return done(
        new ApiError('bad_request', `The header 'Host' ${hosts === 0 ? 'is missing' : 'stands there twice'}.`),
      );
    }
    const encoding = request.headers['content-encoding'];
    if (encoding === undefined || encoding.toLowerCase() === 'identity') return done();
    done(new ApiError('unsupported_media_type', `Content-Encoding '${encoding.slice(0, 32)}' is not supported.`));
  });
  return adapter;
}

/** Fastify says the whole path again, which may be as long as a head. */
function toReason(error: Error): string {
  const isTooLong = 'code' in error && error.code === 'FST_ERR_MAX_PARAM_LENGTH';
  if (isTooLong) return `a part of the path has more than ${MAX_PATH_PART} characters`;
  return error.message.length > 256 ? 'its path cannot be read' : error.message;
}

/** As Fastify makes one, with its options, but guarded: it makes one for each address of `localhost`. */
function createTlsServer(
  handler: RequestListener,
  http: ServerOptions,
  connectionTimeoutMs: number,
  tls: TlsListenerOptions,
): Server {
  const server = createServer({ ...http, keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS, ...tlsServerOptions(tls) }, handler);
  server.setTimeout(connectionTimeoutMs);
  guardTlsServer(server, tls);
  return server;
}

/** Node keeps the first and says nothing; HTTP/1.1 has exactly one. @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2 */
function hostCount({ rawHeaders }: IncomingMessage): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'host') count++;
  return count;
}
