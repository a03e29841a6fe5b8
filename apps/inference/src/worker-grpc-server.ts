import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { ServerGrpc } from '@nestjs/microservices';
import { HealthImplementation, protoPath as healthProtoPath } from 'grpc-health-check';
import { serverChannelOptions } from '#lib/channels';
import { INTERNAL_PACKAGE, internalPackage, protoFolder } from '#lib/contracts';

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
    this.boundPort = await new Promise<number>((resolve, reject) =>
      server.bindAsync(this.url, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    this.health.addToServer(server);
    const services = [SERVICE, 'grpc.health.v1.Health'];
    new ReflectionService(reflectedPackage(), { services }).addToServer(server);
    return server;
  }
}

/** Reflection needs file descriptors, which the generated code does not carry: they come from the `.proto` files. */
function reflectedPackage(): PackageDefinition {
  const file = join('hydra', 'internal', 'v1', 'worker.proto');
  return { ...loadSync(file, { includeDirs: [protoFolder()] }), ...loadSync(healthProtoPath) };
}
