import type { FastifyInstance } from 'fastify';
import type { AdmissionGate } from '../completion/admission-gate.js';

/**
 * Sends clients elsewhere when the gateway is leaving: an answer then says `Connection: close`. A connection whose answer had begun before
 * is ended with it only once nothing new is taken: until then a client that believed the head, and asks again, is answered.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-9.6
 */
export function closeConnectionsWhenLeaving(gate: AdmissionGate, instance: FastifyInstance): void {
  instance.addHook('onRequest', (_request, { raw }, done) => {
    if (gate.isLeaving) raw.shouldKeepAlive = false;
    done();
  });
  instance.addHook('onResponse', (request, { raw }, done) => {
    if (gate.isDraining && raw.shouldKeepAlive) request.raw.socket.end();
    done();
  });
}
