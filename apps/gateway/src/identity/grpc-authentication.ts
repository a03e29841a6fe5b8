import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import type { Principal, Scope } from '#lib/auth';
import { alternativeNames } from '#lib/certificates';
import { PUBLIC_PACKAGE } from '#lib/contracts';
import { FailureTranslator } from '../completion/failure-translator.js';
import { statusOf } from '../grpc/public-status.js';
import { RequestGuard } from './request-guard.js';

/** Probes have no credentials. */
const OPEN_SERVICE = '/grpc.health.v1.Health/';

/** Puts the guard before every method, before a message is read. */
@Injectable()
export class GrpcAuthentication {
  /** By the metadata of the call, which its handler is given, too. */
  private readonly principals = new WeakMap<Metadata, Principal>();

  constructor(
    private readonly guard: RequestGuard,
    private readonly failures: FailureTranslator,
  ) {}

  readonly intercept: ServerInterceptor = ({ path }, call) => {
    if (path.startsWith(OPEN_SERVICE)) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, receive) => {
            const authorization = metadata.get('authorization')[0]?.toString();
            const address = hostOf(call.getPeer());
            const certificateNames = alternativeNames(call.getAuthContext().sslPeerCertificate?.subjectaltname);
            this.guard.admit({ authorization, certificateNames, address }, scopeOf(path)).then(
              (principal) => {
                this.principals.set(metadata, principal);
                receive(metadata);
              },
              (cause: unknown) =>
                call.sendStatus(statusOf(this.failures.translate(cause, { route: path, logFields: {} }))),
            );
          },
        }),
    });
  };

  /** @throws Error for a call that the guard has not seen: it must not run */
  principalOf({ metadata }: { readonly metadata: Metadata }): Principal {
    const principal = this.principals.get(metadata);
    if (principal === undefined) throw new Error('the call was not authenticated');
    return principal;
  }
}

function scopeOf(path: string): Scope | undefined {
  return path.startsWith(`/${PUBLIC_PACKAGE}.Inference/`) ? 'inference' : undefined;
}

/** @param peer  `host:port`, `[host]:port` */
function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}
