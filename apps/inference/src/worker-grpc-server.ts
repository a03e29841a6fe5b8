import { Server } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ServerGrpc } from '@nestjs/microservices';
import { HealthImplementation } from 'grpc-health-check';
import { addReflection, type BoundServer, type ChannelSecurity, serverChannelOptions } from '#lib/channels';
import { INTERNAL_PACKAGE, internalPackage } from '#lib/contracts';
import { type ServedKvBlocks, serveKvBlocks } from '#lib/kv-transfer';

const SERVICE = `${INTERNAL_PACKAGE}.Worker`;
const OPERATIONS = `${INTERNAL_PACKAGE}.Operations`;
const KV_BLOCKS = `${INTERNAL_PACKAGE}.KvBlocks`;

/** Time that connections have to end after their streams did, in milliseconds. */
const CLOSE_GRACE_MS = 2_000;

/** Nest's gRPC transport with the worker's service, health and reflection; it knows the port it was given. */
export class WorkerGrpcServer extends ServerGrpc {
  private bound: BoundServer | undefined;
  private readonly health = new HealthImplementation({ '': 'NOT_SERVING', [SERVICE]: 'NOT_SERVING' });

  constructor(
    private readonly security: ChannelSecurity,
    private readonly host: string,
    private readonly port: number,
    private readonly kvBlocks: ServedKvBlocks | undefined,
  ) {
    super({ package: INTERNAL_PACKAGE, packageDefinition: servedPackage() });
  }

  /** The port it was given; 0 before it listens. */
  get boundPort(): number {
    return this.bound?.port ?? 0;
  }

  /** What health answers: whether the worker takes something new. */
  setServing(isServing: boolean): void {
    for (const service of ['', SERVICE]) this.health.setStatus(service, isServing ? 'SERVING' : 'NOT_SERVING');
  }

  override async createClient(): Promise<Server> {
    const server = new Server(serverChannelOptions());
    this.bound = await this.security.bind(server, this.host, this.port);
    this.health.addToServer(server);
    const files = ['worker', 'operations', ...(this.kvBlocks === undefined ? [] : ['kv'])];
    if (this.kvBlocks !== undefined) serveKvBlocks(server, this.kvBlocks);
    addReflection(
      server,
      files.map((file) => `hydra/internal/v1/${file}.proto`),
      [SERVICE, OPERATIONS, ...(this.kvBlocks === undefined ? [] : [KV_BLOCKS])],
    );
    return server;
  }

  override async close(): Promise<void> {
    const server = this.grpcClient as Server | null;
    this.grpcClient = null;
    if (server === null) return;
    const { bound } = this;
    bound?.stopListening();
    const force = setTimeout(() => bound?.cut(), CLOSE_GRACE_MS);
    server.tryShutdown(() => {});
    await bound?.closed; // what was written has left
    clearTimeout(force);
  }
}

function servedPackage(): PackageDefinition {
  return Object.fromEntries([SERVICE, OPERATIONS].map((name) => [name, internalPackage[name]!])); // both are ours
}
