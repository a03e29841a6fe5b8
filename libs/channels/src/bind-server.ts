import { type Server, ServerCredentials } from '@grpc/grpc-js';

/**
 * Binds a gRPC server without TLS.
 * @param address  `host:port`; port 0 takes a free one
 * @returns the port it has
 */
export function bindServer(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) =>
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
}
