import { Server } from '@grpc/grpc-js';
import { ServerGrpc } from '@nestjs/microservices';
import { HealthImplementation } from 'grpc-health-check';
import { INTERNAL_PACKAGE, internalPackage } from '#lib/contracts';
import type { BoundServer } from './bind-server.js';
import { serverChannelOptions } from './channel-options.js';
import type { ChannelSecurity } from './channel-security.js';
import { addReflection } from './reflection.js';

/** Time that calls and connections have to end after listening did, in milliseconds. */
const CLOSE_GRACE_MS = 2_000;

/** Where a server listens; port 0 takes a free one. */
export interface InternalServerAddress {
  readonly security: ChannelSecurity;
  readonly host: string;
  readonly port: number;
}

/** What a server has. Services go by their names in the internal package. */
export interface InternalServices {
  /** Those that Nest's controllers implement. */
  readonly controllers: readonly string[];
  /** Those that are added without Nest. */
  readonly added?: { readonly names: readonly string[]; addTo(server: Server): void };
  /** Those whose health is told; default: all. */
  readonly withHealth?: readonly string[];
  /** Of `hydra/internal/v1`, without extension. */
  readonly protoFiles: readonly string[];
  /** What health answers at first; default true. */
  readonly isServing?: boolean;
}

/** Nest's gRPC transport for services between our apps, with health and reflection beside them; it knows the port it was given. */
export abstract class InternalGrpcServer extends ServerGrpc {
  private bound: BoundServer | undefined;
  private readonly serviceNames: readonly string[];
  private readonly healthNames: readonly string[];
  private readonly health: HealthImplementation;

  protected constructor(
    private readonly address: InternalServerAddress,
    private readonly services: InternalServices,
  ) {
    const { controllers, added, withHealth } = services;
    super({
      package: INTERNAL_PACKAGE,
      packageDefinition: Object.fromEntries(controllers.map(fullName).map((name) => [name, internalPackage[name]!])), // all are ours
    });
    this.serviceNames = [...controllers, ...(added?.names ?? [])].map(fullName);
    this.healthNames = ['', ...(withHealth?.map(fullName) ?? this.serviceNames)];
    const first = (services.isServing ?? true) ? 'SERVING' : 'NOT_SERVING';
    this.health = new HealthImplementation(Object.fromEntries(this.healthNames.map((name) => [name, first] as const)));
  }

  /** The port it was given; 0 before it listens. */
  get boundPort(): number {
    return this.bound?.port ?? 0;
  }

  /** What health answers: whether something new is taken. */
  setServing(isServing: boolean): void {
    for (const name of this.healthNames) this.health.setStatus(name, isServing ? 'SERVING' : 'NOT_SERVING');
  }

  override async createClient(): Promise<Server> {
    const { security, host, port } = this.address;
    const server = new Server(serverChannelOptions());
    this.bound = await security.bind(server, host, port);
    this.health.addToServer(server);
    this.services.added?.addTo(server);
    const files = this.services.protoFiles.map((file) => `hydra/internal/v1/${file}.proto`);
    addReflection(server, files, this.serviceNames);
    return server;
  }

  override async close(): Promise<void> {
    const server = this.grpcClient as Server | null;
    this.grpcClient = null;
    if (server === null) return;
    const { bound } = this;
    bound?.stopListening();
    this.setServing(false);
    const force = setTimeout(() => bound?.cut(), CLOSE_GRACE_MS);
    server.tryShutdown(() => {});
    await bound?.closed; // what was written has left
    clearTimeout(force);
  }
}

function fullName(service: string): string {
  return `${INTERNAL_PACKAGE}.${service}`;
}
