import { createServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls';
import { experimental, type Server, ServerCredentials, type ServerInterceptor } from '@grpc/grpc-js';
import type { TlsIdentity } from '#lib/certificates';
import { type BoundServer, listen } from './bind-server.js';
import { hasPeerCertificate, isPeerGone, refusalOf, type TlsRefusal } from './tls-refusal.js';

export interface TlsListenerOptions {
  readonly identity: TlsIdentity;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Whether who connects shows a certificate. One that is shown must be good either way. */
  readonly clientCertificates: 'required' | 'optional' | 'none';
  /** What is wrong with a client whose certificate was checked. */
  readonly refusalOfClient?: (socket: TLSSocket) => TlsRefusal | undefined;
  readonly onRefused: (reason: TlsRefusal) => void;
}

/** Longer handshakes are cut off, in milliseconds: they cost memory, and nobody has shown who he is. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Options of TLS for a server of Node's, which `guardTlsServer` completes. */
export function tlsServerOptions({ identity, minVersion, clientCertificates }: TlsListenerOptions): TlsOptions {
  return {
    ...identity.current.context,
    minVersion,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    requestCert: clientCertificates !== 'none',
    rejectUnauthorized: false, // `guardTlsServer` does, and says why
  };
}

/**
 * Takes new certificates when their files change, for connections from then on, and refuses clients that are not good.
 * @param accept  gets the others
 */
export function guardTlsServer(
  server: TlsServer,
  options: TlsListenerOptions,
  accept: (socket: TLSSocket) => void = () => {},
): void {
  const { identity, minVersion, onRefused } = options;
  const unfollow = identity.follow(({ context }) => server.setSecureContext({ ...context, minVersion }));
  server.on('close', unfollow);
  server.on('tlsClientError', (error: NodeJS.ErrnoException) => {
    if (!isPeerGone(error.code)) onRefused(refusalOf(error.code));
  });
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {}); // its end is what counts, for whoever reads from it
    const refusal = clientRefusal(socket, options);
    if (refusal === undefined) return accept(socket);
    onRefused(refusal);
    socket.destroy();
  });
}

/**
 * Has a gRPC server listen behind TLS of our own, which, other than that of grpc-js, tells why it refuses.
 * @param interceptors  of calls that come this way
 */
export async function bindSecurely(
  server: Server,
  host: string,
  port: number,
  options: TlsListenerOptions,
  interceptors: ServerInterceptor[] = [],
): Promise<BoundServer> {
  // What arrives here is decrypted.
  const credentials = experimental.createServerCredentialsWithInterceptors(
    ServerCredentials.createInsecure(),
    interceptors,
  );
  const injector = server.createConnectionInjector(credentials);
  const listener = createServer({ ...tlsServerOptions(options), ALPNProtocols: ['h2'], noDelay: true });
  return listen(listener, host, port, (handOver) =>
    guardTlsServer(listener, options, (socket) => {
      handOver(socket);
      injector.injectConnection(socket);
    }),
  );
}

function clientRefusal(socket: TLSSocket, options: TlsListenerOptions): TlsRefusal | undefined {
  const { clientCertificates, refusalOfClient } = options;
  if (clientCertificates === 'none') return undefined;
  if (!hasPeerCertificate(socket)) return clientCertificates === 'required' ? 'no-certificate' : undefined;
  return socket.authorized ? refusalOfClient?.(socket) : refusalOf(socket.authorizationError);
}
