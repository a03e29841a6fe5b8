import { createServer, type Server as Listener, type Socket } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';

/** A gRPC server that listens. */
export interface BoundServer {
  readonly port: number;
  /** Takes no further connections; to be called before the server is shut down. */
  stopListening(): void;
  /** Ends its connections, with whatever still runs on them. `Server.forceShutdown` leaves them where channelz is off (grpc-js 1.14). */
  cut(): void;
  /**
   * Resolves when it has stopped listening and its last connection is gone; `Server.tryShutdown` does not wait for connections that
   * it was handed (grpc-js 1.14).
   */
  readonly closed: Promise<void>;
}

/**
 * Binds a gRPC server without TLS.
 * @param port  0 takes a free one
 */
export async function bindServer(server: Server, host: string, port: number): Promise<BoundServer> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createServer({ noDelay: true });
  return listen(listener, host, port, (handOver) =>
    listener.on('connection', (socket) => {
      handOver(socket);
      injector.injectConnection(socket);
    }),
  );
}

/** @param accept  is given what is to be called with each connection that is taken */
export async function listen(
  listener: Listener,
  host: string,
  port: number,
  accept: (handOver: (socket: Socket) => void) => void,
): Promise<BoundServer> {
  const open = new Set<Socket>();
  accept((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, host, resolve);
  });
  const bound = listener.address() as { readonly port: number }; // it listens on TCP
  return {
    port: bound.port,
    stopListening: () => void listener.close(),
    cut: () => {
      for (const socket of open) socket.destroy();
    },
    closed: new Promise((resolve) => listener.once('close', resolve)),
  };
}
