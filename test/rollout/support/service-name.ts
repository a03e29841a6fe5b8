import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What a Service of Kubernetes is to those who connect: one address, behind which processes come and go. New connections are led to the processes
 * that stand behind it at the time, in turns; those that there are stay where they are.
 */
export class ServiceName {
  private readonly backends: number[] = [];
  private readonly sockets = new Set<Socket>();
  private turn = 0;

  private constructor(private readonly server: Server) {
    server.on('connection', (client) => this.lead(client));
  }

  static async create(): Promise<ServiceName> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ServiceName(server);
  }

  get target(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  add(port: number): void {
    this.backends.push(port);
  }

  remove(port: number): void {
    const index = this.backends.indexOf(port);
    if (index >= 0) this.backends.splice(index, 1);
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private lead(client: Socket): void {
    const port = this.backends[this.turn++ % Math.max(1, this.backends.length)];
    if (port === undefined) {
      client.destroy();
      return;
    }
    const backend = connect({ port, host: '127.0.0.1', noDelay: true });
    for (const [one, other] of [
      [client, backend],
      [backend, client],
    ] as const) {
      this.sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
