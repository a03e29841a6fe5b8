import { Server } from '@grpc/grpc-js';
import { ServerGrpc } from '@nestjs/microservices';
import { HealthImplementation } from 'grpc-health-check';
import { addReflection, bindServer, serverChannelOptions } from '#lib/channels';
import { INTERNAL_PACKAGE, internalPackage } from '#lib/contracts';

const SERVICE = `${INTERNAL_PACKAGE}.Worker`;

/** Nest's gRPC transport with the worker's service, health and reflection; it knows the port it was given. */
export class WorkerGrpcServer extends ServerGrpc {
  boundPort = 0;
  private readonly health = new HealthImplementation({ '': 'NOT_SERVING', [SERVICE]: 'NOT_SERVING' });

  constructor(url: string) {
    super({ url, package: INTERNAL_PACKAGE, packageDefinition: { [SERVICE]: internalPackage[SERVICE]! } });
  }

  /** What health answers: whether the worker takes something new. */
  setServing(isServing: boolean): void {
    for (const service of ['', SERVICE]) this.health.setStatus(service, isServing ? 'SERVING' : 'NOT_SERVING');
  }

  override async createClient(): Promise<Server> {
    const server = new Server(serverChannelOptions());
    this.boundPort = await bindServer(server, this.url);
    this.health.addToServer(server);
    addReflection(server, ['hydra/internal/v1/worker.proto'], [SERVICE]);
    return server;
  }
}
