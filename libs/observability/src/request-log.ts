import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from './logger.js';
import { traceContextOf } from './trace-context.js';
import type { RequestRecord } from './tracing/request-record.js';

/** Asked for by probes every few seconds. */
const UNLOGGED = /^\/(health|metrics)/;

/** Most characters of a path in a log line: clients write what they like. */
const MAX_URL = 512;

/** Of each request its record or, where none is kept, the id of its tenant. */
const origins = new WeakMap<FastifyRequest, RequestRecord | string>();

/** Ties a record to its request, so that the request's log lines name its tenant and its trace. */
export function tieRecord(request: FastifyRequest, record: RequestRecord): void {
  origins.set(request, record);
}

/** Lets the log lines of a request name its tenant, also where no record is kept. */
export function tieTenant(request: FastifyRequest, tenantId: string): void {
  origins.set(request, tenantId);
}

/** The fields that correlate log lines about a request with those of other apps. Without a record, the trace is the client's. */
export function requestFields(request: FastifyRequest): Record<string, unknown> {
  const origin = origins.get(request);
  if (origin !== undefined && typeof origin !== 'string') return { request_id: request.id, ...origin.logFields };
  const { traceparent } = request.headers;
  const trace = typeof traceparent === 'string' ? traceContextOf(traceparent, undefined) : undefined;
  return {
    request_id: request.id,
    ...(origin !== undefined && { tenant_id: origin }),
    ...(trace !== undefined && { trace_id: trace.traceparent.slice(3, 35) }),
  };
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
    // a query may hold what is no business of a log
    req: { method: request.method, url: request.url.split('?', 1)[0]?.slice(0, MAX_URL) },
    res: { status: reply.statusCode },
    responseTime: Math.round(reply.elapsedTime),
  };
}
