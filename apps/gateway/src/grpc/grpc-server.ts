import { Server } from '@grpc/grpc-js';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HealthImplementation } from 'grpc-health-check';
import { addReflection, type BoundServer, bindSecurely, bindServer, serverChannelOptions } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { PUBLIC_PACKAGE, publicApi } from '#lib/contracts';
import { ModelDirectory } from '../fleet/model-directory.js';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { GrpcAuthentication } from '../identity/grpc-authentication.js';
import { PublicTls } from '../identity/public-tls.js';
import { CallEnds } from './call-ends.js';
import { withLenientDecoding } from './decoded-requests.js';
import { InferenceCalls } from './inference-calls.js';
import { receiveTimeout } from './receive-timeout.js';

type ServingStatus = 'SERVING' | 'NOT_SERVING';

const SERVICE = `${PUBLIC_PACKAGE}.Inference`;

/**
 * The public gRPC server: inference, health, reflection. A raw server of grpc-js rather than Nest's transport, which puts
 * what a slow client does not read into memory without bound (measured: 94 to 376 MB).
 */
@Injectable()
export class GrpcServer implements OnModuleInit {
  private readonly server: Server;
  private bound: BoundServer | undefined;
  private isShuttingDown = false;
  private servingStatus: ServingStatus = 'NOT_SERVING';
  private readonly health = new HealthImplementation({ '': 'NOT_SERVING', [SERVICE]: 'NOT_SERVING' });

  constructor(
    @Inject(GATEWAY_CONFIG) config: HydraConfig,
    private readonly models: ModelDirectory,
    calls: InferenceCalls,
    ends: CallEnds,
    authentication: GrpcAuthentication,
    private readonly tls: PublicTls,
  ) {
    const { bodyBytes, receiveTimeoutMs } = config.gateway;
    const options = serverChannelOptions({ maxMessageBytes: bodyBytes });
    const interceptors = [ends.intercept, authentication.intercept, receiveTimeout(receiveTimeoutMs)];
    this.server = new Server({ ...options, interceptors });
    this.server.addService(withLenientDecoding(publicApi.InferenceService), calls.handlers);
    this.health.addToServer(this.server);
    addReflection(this.server, ['hydra/v1/inference.proto'], [SERVICE]);
  }

  onModuleInit(): void {
    this.models.onChange(() => this.reportHealth());
  }

  /** @returns the port */
  async listen(host: string, port: number): Promise<number> {
    const { listener } = this.tls;
    this.bound =
      listener === undefined
        ? await bindServer(this.server, host, port)
        : await bindSecurely(this.server, host, port, listener);
    return this.bound.port;
  }

  /** Tells watchers of the health service, for good. */
  announceShutdown(): void {
    this.isShuttingDown = true;
    this.reportHealth();
  }

  /** Takes no further connections and calls, and says so (GOAWAY): clients open their next calls elsewhere. What runs goes on. */
  sendClientsAway(): void {
    this.bound?.stopListening();
    // A connection whose end is announced fails its next keepalive ping, and is cut for it (grpc/grpc-node#3068; measured: 2 s);
    // grpc-js looks at this field before each ping, and has no other way to stop them.
    Object.assign(this.server, { keepaliveTimeMs: Number.POSITIVE_INFINITY });
    this.server.tryShutdown(() => {}); // `bound.closed` says when
  }

  /** Resolves when all calls have ended; those that have not in `graceMs` are cut. */
  async close(graceMs: number): Promise<void> {
    this.sendClientsAway();
    const timer = setTimeout(() => this.bound?.cut(), graceMs);
    await this.bound?.closed;
    clearTimeout(timer);
  }

  private reportHealth(): void {
    const canAnswer = !this.isShuttingDown && this.models.answerable().length > 0;
    const status = canAnswer ? 'SERVING' : 'NOT_SERVING';
    if (status === this.servingStatus) return; // the fleet changes often, and watchers are told each time
    this.servingStatus = status;
    this.health.setStatus('', status);
    this.health.setStatus(SERVICE, status);
  }
}
