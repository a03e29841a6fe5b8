import { Server } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ServerGrpc } from '@nestjs/microservices';
import { HealthImplementation } from 'grpc-health-check';
import { addReflection, type BoundServer, type ChannelSecurity, serverChannelOptions } from '#lib/channels';
import { INTERNAL_PACKAGE, internalPackage } from '#lib/contracts';

const SERVICES = ['Fleet', 'Operations', 'Placement'].map((name) => `${INTERNAL_PACKAGE}.${name}`);

const PROTO_FILES = ['fleet', 'operations', 'placement'].map((name) => `hydra/internal/v1/${name}.proto`);

/** Time that calls in flight have to end after the streams were told to, in milliseconds. */
const CLOSE_GRACE_MS = 2_000;

/** Nest's gRPC transport with the scheduler's services, health and reflection; it knows the port it was given. */
export class SchedulerGrpcServer extends ServerGrpc {
  private bound: BoundServer | undefined;
  private readonly health = new HealthImplementation(
    Object.fromEntries(['', ...SERVICES].map((service) => [service, 'SERVING'] as const)),
  );

  constructor(
    private readonly security: ChannelSecurity,
    private readonly host: string,
    private readonly port: number,
  ) {
    super({ package: INTERNAL_PACKAGE, packageDefinition: servedPackage() });
  }

  /** The port it was given; 0 before it listens. */
  get boundPort(): number {
    return this.bound?.port ?? 0;
  }

  override async createClient(): Promise<Server> {
    const server = new Server(serverChannelOptions());
    this.bound = await this.security.bind(server, this.host, this.port);
    this.health.addToServer(server);
    addReflection(server, PROTO_FILES, SERVICES);
    return server;
  }

  override async close(): Promise<void> {
    const server = this.grpcClient as Server | null;
    this.grpcClient = null;
    if (server === null) return;
    const { bound } = this;
    bound?.stopListening();
    for (const service of ['', ...SERVICES]) this.health.setStatus(service, 'NOT_SERVING');
    const force = setTimeout(() => bound?.cut(), CLOSE_GRACE_MS);
    server.tryShutdown(() => {});
    await bound?.closed;
    clearTimeout(force);
  }
}

function servedPackage(): PackageDefinition {
  return Object.fromEntries(SERVICES.map((name) => [name, internalPackage[name]!])); // both are ours
}
