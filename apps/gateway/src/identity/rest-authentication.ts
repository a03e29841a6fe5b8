import { type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ANONYMOUS, type Principal } from '#lib/auth';
import { alternativeNames } from '#lib/certificates';
import { tieTenant } from '#lib/observability';
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
    const certificateNames = certificateNamesOf(request.raw.socket);
    const principal = await guard.admit({ authorization, certificateNames, address: request.ip }, scope);
    principals.set(request, principal);
    tieTenant(request, principal.tenantId);
  });
}

/** Who sends the request; nobody in particular where routes are open. */
export function principalOf(request: FastifyRequest): Principal {
  return principals.get(request) ?? ANONYMOUS;
}

/** Read once for each connection. */
const namesBySocket = new WeakMap<TLSSocket, readonly string[]>();

function certificateNamesOf(socket: Socket): readonly string[] {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return [];
  let names = namesBySocket.get(socket);
  if (names === undefined) {
    names = alternativeNames(socket.getPeerCertificate().subjectaltname);
    namesBySocket.set(socket, names);
  }
  return names;
}
