import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger as NestPinoLogger } from 'nestjs-pino';
import { register } from 'prom-client';
import { ChannelSecurity } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { productVersion } from '#lib/contracts';
import type { EngineModel } from '#lib/engine';
import type { ServedKvBlocks } from '#lib/kv-transfer';
import type { Logger } from '#lib/observability';
import { AdapterKeeper } from './adapters/adapter-keeper.js';
import { EngineHost } from './engine/engine-host.js';
import { DeviceMeter } from './fleet/device-meter.js';
import { FleetMemberships } from './fleet/fleet-memberships.js';
import { InferenceModule } from './inference.module.js';
import { EngineKvBlocks } from './kv/engine-kv-blocks.js';
import { Drain } from './lifecycle/drain.js';
import { KvTransferMetrics } from './observation/kv-transfer-metrics.js';
import { GatewaySessions } from './session/gateway-sessions.js';
import { WorkerGrpcServer } from './worker-grpc-server.js';
import { WorkerIdentity } from './worker-identity.js';

export interface RunningWorker {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly workerId: string;
  readonly epoch: number;
  /** What it serves; once it is prepared. */
  model(): EngineModel;
  /** Resolves when the worker has been told that a later life of it has taken over. */
  readonly superseded: Promise<void>;
  /** Resolves when the engine is lost for good: only a new process can serve again. */
  readonly engineLost: Promise<void>;
  /** Loads the model, then joins the fleet. Rejects with a sentence for people. */
  prepare(): Promise<void>;
  /** `hydra.yaml` has changed. */
  configChanged(): void;
  /** Drains, says goodbye, closes. Rejects with an EngineStuckError when the engine cannot be ended. */
  stop(drainTimeoutMs: number): Promise<void>;
  /** Says goodbye to the fleet and the gateways; the engine is left as it is. */
  leave(): Promise<void>;
}

/** Health and metrics over HTTP and the worker's service over gRPC, listening before the model is there. Port 0 takes a free one. */
export async function startWorker(config: HydraConfig, logger: Logger): Promise<RunningWorker> {
  const { host, httpPort, grpcPort } = config.workers;
  const app = await NestFactory.create<NestFastifyApplication>(
    InferenceModule.forConfig(config, logger),
    new FastifyAdapter({ forceCloseConnections: true }),
    { bufferLogs: true, abortOnError: false },
  );
  app.useLogger(app.get(NestPinoLogger));
  const grpcServer = new WorkerGrpcServer(
    { security: app.get(ChannelSecurity), host, port: grpcPort },
    servedKvBlocks(app, config),
  );
  app.connectMicroservice({ strategy: grpcServer });
  await app.startAllMicroservices();
  await app.listen(httpPort, host);

  const engineHost = app.get(EngineHost);
  const drain = app.get(Drain);
  const membership = app.get(FleetMemberships);
  const meter = app.get(DeviceMeter);
  const adapters = app.get(AdapterKeeper);
  const { workerId, epoch } = app.get(WorkerIdentity);
  register.setDefaultLabels({ worker: workerId }); // as the scheduler names it, whoever scrapes it where
  engineHost.onPhase((phase) => grpcServer.setServing(phase === 'running' && !drain.hasBegun));
  drain.onBegin(() => grpcServer.setServing(false));
  const engineLost = new Promise<void>((resolve) => {
    engineHost.onPhase((phase) => {
      if (phase === 'lost') resolve();
    });
  });
  const leave = async () => {
    membership.stop();
    meter.stop();
    await app.get(GatewaySessions).close();
  };

  return {
    httpPort: (app.getHttpServer().address() as AddressInfo).port, // it listens on TCP
    grpcPort: grpcServer.boundPort,
    workerId,
    epoch,
    model: () => engineHost.engine.describe().model,
    engineLost,
    superseded: new Promise((resolve) => membership.onSuperseded(resolve)),
    prepare: async () => {
      await Promise.all([engineHost.prepare(), meter.start()]);
      await adapters.apply(); // it joins with them
      membership.start(config.workers.advertisedHost ?? host, grpcServer.boundPort, productVersion());
    },
    configChanged: () => void adapters.apply(),
    stop: async (drainTimeoutMs) => {
      drain.begin(drainTimeoutMs, 'stopping');
      await drain.untilDone();
      await leave();
      await engineHost.stop();
      await app.close();
    },
    leave,
  };
}

/** Nothing is served where workers are not to have blocks from each other. */
function servedKvBlocks(app: NestFastifyApplication, { workers }: HydraConfig): ServedKvBlocks | undefined {
  if (!workers.kvTransfer) return undefined;
  const metrics = app.get(KvTransferMetrics);
  return {
    source: app.get(EngineKvBlocks),
    onServed: (bytes) => metrics.served(bytes),
    onRefused: (code) => metrics.refused(code),
  };
}
