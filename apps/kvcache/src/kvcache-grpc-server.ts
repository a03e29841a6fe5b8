import { Server } from '@grpc/grpc-js';
import { ServerGrpc } from '@nestjs/microservices';
import { HealthImplementation } from 'grpc-health-check';
import { addReflection, type BoundServer, type ChannelSecurity, serverChannelOptions } from '#lib/channels';
import { INTERNAL_PACKAGE, internalPackage } from '#lib/contracts';
import { type ServedKvBlocks, serveKvBlocks } from '#lib/kv-transfer';

const OPERATIONS = `${INTERNAL_PACKAGE}.Operations`;
const SERVICES = [`${INTERNAL_PACKAGE}.KvBlocks`, OPERATIONS];
const PROTO_FILES = ['kv', 'operations'].map((name) => `hydra/internal/v1/${name}.proto`);

/** Time that transfers have to end, in milliseconds. Chosen: whoever waits for blocks waits no longer. */
const CLOSE_GRACE_MS = 2_000;

/** Nest's gRPC transport with health and reflection beside the blocks; it knows the port it was given. */
export class KvcacheGrpcServer extends ServerGrpc {
  private bound: BoundServer | undefined;
  private readonly health = new HealthImplementation(
    Object.fromEntries(['', ...SERVICES].map((service) => [service, 'SERVING'] as const)),
  );

  constructor(
    private readonly security: ChannelSecurity,
    private readonly host: string,
    private readonly port: number,
    private readonly blocks: ServedKvBlocks,
  ) {
    super({ package: INTERNAL_PACKAGE, packageDefinition: { [OPERATIONS]: internalPackage[OPERATIONS]! } }); // ours
  }

  /** The port it was given; 0 before it listens. */
  get boundPort(): number {
    return this.bound?.port ?? 0;
  }

  override async createClient(): Promise<Server> {
    const server = new Server(serverChannelOptions());
    this.bound = await this.security.bind(server, this.host, this.port);
    this.health.addToServer(server);
    serveKvBlocks(server, this.blocks);
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
