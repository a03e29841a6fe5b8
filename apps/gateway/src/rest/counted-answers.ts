import type { FastifyInstance } from 'fastify';
import type { GatewayMetrics } from '../observation/gateway-metrics.js';

/** What of an answer is counted where it is made: a stream can break off after its status, 200, was sent. */
const COUNTED_THERE: ReadonlySet<string> = new Set(['/v1/completions', '/v1/chat/completions', '/v1/embeddings']);

/** Counts good answers of the API's other routes; bad ones are counted by the error filter, on whatever route. */
export function countAnswers(instance: FastifyInstance, metrics: GatewayMetrics): void {
  instance.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url;
    if (reply.statusCode < 400 && route?.startsWith('/v1/') && !COUNTED_THERE.has(route)) {
      metrics.answered(route, reply.statusCode, 'ok');
    }
    done();
  });
}
