import type { FastifyRequest } from 'fastify';
import { type RequestRecord, type Tracing, tieRecord } from '#lib/observability';
import { ApiError } from '#lib/openai';
import { firstOf } from '../rest/first-header.js';
import { failSpan } from './answer-span.js';

/** Begins the record of a request over REST, in its client's trace. */
export function beginRestRecord(
  tracing: Tracing,
  request: FastifyRequest,
  route: string,
  tenantId: string,
): RequestRecord {
  const { traceparent, tracestate } = request.headers;
  const record = tracing.beginRequest(
    { traceparent: firstOf(traceparent), tracestate: firstOf(tracestate), requestId: request.id, tenantId },
    `${request.method} ${route}`,
  );
  tieRecord(request, record);
  record.root.set({ 'http.request.method': request.method, 'http.route': route });
  return record;
}

/** Begins the record of a call over gRPC. @param path  like `/hydra.v1.Inference/Chat` */
export function beginGrpcRecord(
  tracing: Tracing,
  path: string,
  request: { traceparent: string | undefined; tracestate: string | undefined; requestId: string; tenantId: string },
): RequestRecord {
  const name = path.slice(1);
  const record = tracing.beginRequest(request, name);
  record.root.set({ 'rpc.system.name': 'grpc', 'rpc.method': name });
  return record;
}

/** Ends the record with what becomes of the answer. */
export async function recordRest(record: RequestRecord, answer: () => Promise<void>): Promise<void> {
  try {
    await answer();
    record.root.set({ 'http.response.status_code': 200 });
    record.close();
  } catch (cause) {
    failRest(record, cause);
    throw cause;
  }
}

/** The answer is an error, or broke off. @param status  set when the client has had it before */
export function failRest(record: RequestRecord, cause: unknown, status?: number): void {
  record.root.set({ 'http.response.status_code': status ?? (cause instanceof ApiError ? cause.httpStatus : 500) });
  failSpan(record.root, cause);
  record.close();
}

export function endGrpc(record: RequestRecord): void {
  record.root.set({ 'rpc.response.status_code': 'OK' });
  record.close();
}

/** @param status  name of the status that the client gets */
export function failGrpc(record: RequestRecord, cause: unknown, status: string): void {
  record.root.set({ 'rpc.response.status_code': status });
  failSpan(record.root, cause);
  record.close();
}
