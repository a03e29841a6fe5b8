import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import type { ServiceName } from '#lib/certificates';
import { INTERNAL_PACKAGE } from '#lib/contracts';
import { identityOf, type TlsRefusal } from './tls-refusal.js';

/** Who may call what, by the beginning of a method's path; documented in docs/security.md. What is not here nobody may call. */
const ALLOWED: Readonly<Record<string, readonly ServiceName[] | 'all'>> = {
  [`/${INTERNAL_PACKAGE}.Placement/`]: ['gateway'],
  [`/${INTERNAL_PACKAGE}.Fleet/Join`]: ['worker'],
  [`/${INTERNAL_PACKAGE}.Fleet/Announce`]: ['kvcache'],
  [`/${INTERNAL_PACKAGE}.Fleet/Watch`]: ['gateway', 'client'],
  [`/${INTERNAL_PACKAGE}.Worker/`]: ['gateway'],
  [`/${INTERNAL_PACKAGE}.Operations/`]: ['gateway'],
  [`/${INTERNAL_PACKAGE}.KvBlocks/`]: ['worker'],
  '/grpc.health.v1.Health/': 'all',
  '/grpc.reflection.': 'all',
};

export function mayCall(service: ServiceName, path: string): boolean {
  const allowed = Object.entries(ALLOWED).find(([prefix]) => path.startsWith(prefix))?.[1];
  return allowed === 'all' || allowed?.includes(service) === true;
}

/** Refuses calls of those who should not make them, before a message is read. */
export function allowedCallers(trustDomain: string, onRefused: (reason: TlsRefusal) => void): ServerInterceptor {
  return ({ path }, call) => {
    const caller = identityOf(call.getAuthContext().sslPeerCertificate, trustDomain);
    if (caller !== undefined && mayCall(caller.service, path)) return new ServerInterceptingCall(call);
    onRefused('wrong-service');
    const details = `a certificate of the service '${caller?.service}' may not call ${path}`;
    return new ServerInterceptingCall(call, {
      start: (next) => next({ onReceiveMetadata: () => call.sendStatus({ code: status.PERMISSION_DENIED, details }) }),
    });
  };
}
