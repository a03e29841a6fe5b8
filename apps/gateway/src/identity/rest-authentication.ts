import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ANONYMOUS, type Principal } from '#lib/auth';
import { scopeOfRoute } from '../rest/public-routes.js';
import type { RequestGuard } from './request-guard.js';

const principals = new WeakMap<FastifyRequest, Principal>();

/** Puts the guard before every route, before a byte of the body is read. */
export function addRestAuthentication(
  instance: FastifyInstance,
  guard: RequestGuard,
  answersPreflights: boolean,
): void {
  instance.addHook('onRequest', async (request) => {
    if (answersPreflights && request.method === 'OPTIONS') return; // browsers send no credentials with them
    const scope = scopeOfRoute(request.routeOptions.url);
    if (scope === 'open') return;
    const { authorization } = request.headers;
    principals.set(request, await guard.admit({ authorization, address: request.ip }, scope));
  });
}

/** Who sends the request; nobody in particular where routes are open. */
export function principalOf(request: FastifyRequest): Principal {
  return principals.get(request) ?? ANONYMOUS;
}
