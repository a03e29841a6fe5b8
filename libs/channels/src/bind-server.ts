import { type Server, ServerCredentials } from '@grpc/grpc-js';

/** A gRPC server that listens. */
export interface BoundServer {
  readonly port: number;
  /** Takes no further connections; to be called before the server is shut down. */
  stopListening(): void;
}

/**
 * Binds a gRPC server without TLS.
 * @param port  0 takes a free one
 */
export function bindServer(server: Server, host: string, port: number): Promise<BoundServer> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) =>
    server.bindAsync(
      address,
      ServerCredentials.createInsecure(),
      (error, bound) => (error ? reject(error) : resolve({ port: bound, stopListening: () => {} })), // the server does that itself
    ),
  );
}
