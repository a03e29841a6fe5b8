import type { FastifyRequest } from 'fastify';
import { type Actor, actorOf } from '#lib/auth';
import { principalOf } from '../identity/rest-authentication.js';

/** Who acts, for the audit log. */
export function actorOfRequest(request: FastifyRequest): Actor {
  return { name: actorOf(principalOf(request)), address: request.ip };
}
