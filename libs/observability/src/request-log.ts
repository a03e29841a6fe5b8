import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from './logger.js';
import type { RequestRecord } from './tracing/request-record.js';

/** Asked for by probes every few seconds. */
const UNLOGGED = /^\/(health|metrics)/;

const records = new WeakMap<FastifyRequest, RequestRecord>();

/** Ties a record to its request, so that the request's log lines name its trace. */
export function tieRecord(request: FastifyRequest, record: RequestRecord): void {
  records.set(request, record);
}

/** The fields that correlate log lines about a request with those of other apps. */
export function requestFields(request: FastifyRequest): Record<string, unknown> {
  return { request_id: request.id, ...records.get(request)?.logFields };
}

/**
 * Logs each answered request: at `error` when it is our fault, else at `debug`. A hook of the server, not a middleware with a
 * logger for each request: that cost the gateway a tenth of a request (measured 2026-11-28), with nothing to log.
 */
export function logRequests(instance: FastifyInstance, logger: Logger): void {
  instance.addHook('onResponse', (request, reply, done) => {
    const level = reply.statusCode >= 500 ? 'error' : 'debug';
    if (logger.isLevelEnabled(level) && !UNLOGGED.test(request.url)) {
      logger[level](fieldsOf(request, reply), level === 'error' ? 'request errored' : 'request completed');
    }
    done();
  });
}

function fieldsOf(request: FastifyRequest, reply: FastifyReply) {
  return {
    ...requestFields(request),
    req: { method: request.method, url: request.url.split('?', 1)[0] }, // a query may hold what is no business of a log
    res: { status: reply.statusCode },
    responseTime: Math.round(reply.elapsedTime),
  };
}
