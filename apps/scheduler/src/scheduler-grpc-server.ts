import { Server } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ServerGrpc } from '@nestjs/microservices';
import { HealthImplementation } from 'grpc-health-check';
import { addReflection, bindServer, serverChannelOptions } from '#lib/channels';
import { INTERNAL_PACKAGE, internalPackage } from '#lib/contracts';

const SERVICES = [`${INTERNAL_PACKAGE}.Fleet`, `${INTERNAL_PACKAGE}.Placement`];

/** Time that calls in flight have to end after the streams were told to, in milliseconds. */
const CLOSE_GRACE_MS = 2_000;

/** Nest's gRPC transport with the scheduler's two services, health and reflection; it knows the port it was given. */
export class SchedulerGrpcServer extends ServerGrpc {
  boundPort = 0;
  private readonly health = new HealthImplementation(
    Object.fromEntries(['', ...SERVICES].map((service) => [service, 'SERVING'] as const)),
  );

  constructor(url: string) {
    super({ url, package: INTERNAL_PACKAGE, packageDefinition: servedPackage() });
  }

  override async createClient(): Promise<Server> {
    const server = new Server(serverChannelOptions());
    this.boundPort = await bindServer(server, this.url);
    this.health.addToServer(server);
    addReflection(server, ['hydra/internal/v1/fleet.proto', 'hydra/internal/v1/placement.proto'], SERVICES);
    return server;
  }

  override async close(): Promise<void> {
    const server = this.grpcClient as Server | null;
    this.grpcClient = null;
    if (server === null) return;
    for (const service of ['', ...SERVICES]) this.health.setStatus(service, 'NOT_SERVING');
    const force = setTimeout(() => server.forceShutdown(), CLOSE_GRACE_MS);
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    clearTimeout(force);
  }
}

function servedPackage(): PackageDefinition {
  return Object.fromEntries(SERVICES.map((name) => [name, internalPackage[name]!])); // both are ours
}
