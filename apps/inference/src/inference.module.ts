import { type DynamicModule, Module } from '@nestjs/common';
import { ChannelSecurity, OperationsController, openChannelSecurity } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { productVersion } from '#lib/contracts';
import { Engine } from '#lib/engine';
import { KvEventLog } from '#lib/kv-transfer';
import { type Logger, ObservabilityModule } from '#lib/observability';
import { AdapterCalls } from './adapters/adapter-calls.js';
import { AdapterKeeper } from './adapters/adapter-keeper.js';
import { Embeddings } from './embedding/embeddings.js';
import { createEngine } from './engine/create-engine.js';
import { EngineHost } from './engine/engine-host.js';
import { DeviceMeter } from './fleet/device-meter.js';
import { engineKvEvents } from './fleet/engine-kv-events.js';
import { FleetMemberships } from './fleet/fleet-memberships.js';
import { StateReporter } from './fleet/state-reporter.js';
import { EngineKvBlocks } from './kv/engine-kv-blocks.js';
import { KvCaches } from './kv/kv-caches.js';
import { KvClients } from './kv/kv-clients.js';
import { KvFetcher } from './kv/kv-fetcher.js';
import { KvPusher } from './kv/kv-pusher.js';
import { Drain } from './lifecycle/drain.js';
import { AdapterMetrics } from './observation/adapter-metrics.js';
import { EngineMetrics } from './observation/engine-metrics.js';
import { GpuMetrics } from './observation/gpu-metrics.js';
import { KvTransferMetrics } from './observation/kv-transfer-metrics.js';
import { WorkerMetrics } from './observation/worker-metrics.js';
import { WorkerReadiness } from './observation/worker-readiness.js';
import { GatewaySessions } from './session/gateway-sessions.js';
import { Generations } from './session/generations.js';
import { LeaseTerms } from './session/lease-terms.js';
import { WorkerController } from './session/worker.controller.js';
import { HYDRA_CONFIG } from './worker-config.js';
import { WorkerIdentity } from './worker-identity.js';

/** The engine and the generations on it; what reaches it from outside is in `InferenceModule`. */
@Module({})
class EngineModule {
  static forConfig(config: HydraConfig, logger: Logger): DynamicModule {
    return {
      module: EngineModule,
      providers: [
        { provide: HYDRA_CONFIG, useValue: config },
        { provide: ChannelSecurity, useFactory: () => openChannelSecurity(config, 'worker', logger) },
        { provide: WorkerIdentity, useValue: WorkerIdentity.of(config) },
        {
          provide: Engine,
          useFactory: (identity: WorkerIdentity) => createEngine(config, identity, logger),
          inject: [WorkerIdentity],
        },
        EngineHost,
        AdapterKeeper,
        AdapterMetrics,
        WorkerMetrics,
        EngineMetrics,
        LeaseTerms,
        ...[KvTransferMetrics, KvClients, KvCaches, KvFetcher, EngineKvBlocks, KvPusher],
        Generations,
        Embeddings,
        Drain,
      ],
      exports: [
        ...[HYDRA_CONFIG, ChannelSecurity, WorkerIdentity, Engine, EngineHost, LeaseTerms, Generations, Embeddings],
        AdapterKeeper,
        ...[Drain, EngineKvBlocks, KvTransferMetrics],
      ],
    };
  }
}

@Module({})
export class InferenceModule {
  static forConfig(config: HydraConfig, logger: Logger): DynamicModule {
    const engine = EngineModule.forConfig(config, logger);
    return {
      module: InferenceModule,
      imports: [
        engine,
        ObservabilityModule.forApp({
          ...{ logger, readiness: WorkerReadiness, imports: [engine], tracing: config.tracing },
          service: { name: 'hydra-inference', version: productVersion(), instanceId: config.workers.id },
        }),
      ],
      controllers: [WorkerController, OperationsController],
      providers: [
        ...[AdapterCalls, GatewaySessions, DeviceMeter, GpuMetrics, StateReporter, FleetMemberships],
        { provide: KvEventLog, useFactory: engineKvEvents, inject: [EngineHost, WorkerIdentity] },
      ],
    };
  }
}
