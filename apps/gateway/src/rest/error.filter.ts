import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  ServiceUnavailableException,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { requestFields } from '#lib/observability';
import { ApiError, toErrorBody } from '#lib/openai';
import { FailureTranslator } from '../completion/failure-translator.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { readOnAfterAnswer } from './late-reading.js';
import { allowedMethods } from './public-routes.js';

/** Brings every failure of REST into the one shape, from the one table. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(
    private readonly failures: FailureTranslator,
    private readonly metrics: GatewayMetrics,
  ) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (exception instanceof ServiceUnavailableException && request.url.startsWith('/health')) {
      void reply.status(exception.getStatus()).send(exception.getResponse()); // terminus' report, for probes
      return;
    }
    const route = request.routeOptions.url ?? 'unmatched';
    const refusal =
      exception instanceof HttpException ? fromHttpStatus(exception, request, reply) : orGone(exception, request);
    const error = this.failures.translate(refusal, { route, logFields: requestFields(request) });
    this.metrics.answered(route, error.httpStatus, error.countedAs);
    if (error.condition === 'client_closed' || reply.raw.destroyed) {
      reply.hijack();
      reply.raw.destroy();
      return;
    }
    if (error.httpStatus === 413) readOnAfterAnswer(request.raw);
    if (error.httpStatus === 401) void reply.header('www-authenticate', 'Bearer');
    if (error.httpStatus === 429 || error.httpStatus === 503) void reply.header('x-hydra-reason', error.condition);
    if (error.httpStatus === 429 && isFutile(error)) void reply.header('x-should-retry', 'false');
    if (error.retryAfterS !== undefined) void reply.header('retry-after', String(error.retryAfterS));
    void reply
      .status(error.httpStatus)
      .header('content-type', JSON_TYPE)
      .send(JSON.stringify(toErrorBody(error)));
  }
}

export const JSON_TYPE = 'application/json; charset=utf-8';

/** OpenAI's client for Node obeys any `Retry-After`, also one until the end of the month; the one for Python up to two minutes. */
const LONGEST_RETRY_S = 120;

/** Nobody should wait for it in a call: it never fits, or not before the quota's day or month is over. OpenAI's clients go by the header. */
function isFutile({ retryAfterS }: ApiError): boolean {
  return retryAfterS === undefined || retryAfterS > LONGEST_RETRY_S;
}

/** A body that broke off because its client left is no fault of ours. */
function orGone(exception: unknown, { raw }: FastifyRequest): unknown {
  const isReset = exception instanceof Error && 'code' in exception && exception.code === 'ECONNRESET';
  if (!isReset || raw.complete) return exception;
  return new ApiError('client_closed', 'The client closed the connection before its request had arrived.', {
    cause: exception,
  });
}

/** What Fastify and Nest refuse before a handler of ours runs. */
function fromHttpStatus(exception: HttpException, request: FastifyRequest, reply: FastifyReply): ApiError {
  switch (exception.getStatus()) {
    case 403: // a path that leads out of the folder of Swagger's files
    case 404:
      return (
        notAllowed(request, reply) ??
        new ApiError('route_not_found', `The path '${pathOf(request).slice(0, 128)}' does not exist.`)
      );
    case 405:
      return new ApiError('method_not_allowed', `The method ${request.method} is not allowed here.`);
    case 413:
      return new ApiError('request_too_large', 'The request body is too large.');
    case 415:
      return new ApiError('unsupported_media_type', 'Send the request body as `Content-Type: application/json`.');
    default:
      return (
        notAllowed(request, reply) ??
        new ApiError('bad_request', `The request is not valid: ${exception.message.replace(/\.$/, '')}.`)
      );
  }
}

/** Of a path that is there, for other methods. */
function notAllowed(request: FastifyRequest, reply: FastifyReply): ApiError | undefined {
  const hasConsole = request.server.hasRoute({ method: 'GET', url: '/' });
  const allowed = allowedMethods(pathOf(request), hasConsole);
  if (allowed === undefined || allowed.split(', ').includes(request.method)) return undefined;
  void reply.header('allow', allowed);
  return new ApiError('method_not_allowed', `The method ${request.method} is not allowed here; use ${allowed}.`);
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] ?? '';
}
