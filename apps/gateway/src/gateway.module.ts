import { hostname } from 'node:os';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { ThrottlerModule } from '@nestjs/throttler';
import { IdentityStore } from '#lib/auth';
import { ChannelSecurity, openChannelSecurity } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { productVersion } from '#lib/contracts';
import { UsageLedger } from '#lib/ledger';
import { LimitBook } from '#lib/limits';
import { type Logger, newId, ObservabilityModule } from '#lib/observability';
import { AuditController } from './admin/audit.controller.js';
import { KeysController } from './admin/keys.controller.js';
import { LimitsController } from './admin/limits.controller.js';
import { PoliciesController } from './admin/policies.controller.js';
import { TenantsController } from './admin/tenants.controller.js';
import { AdmissionGate } from './completion/admission-gate.js';
import { CompletionService } from './completion/completion-service.js';
import { FailureTranslator } from './completion/failure-translator.js';
import { PromptEncoder } from './completion/prompt-encoder.js';
import { EmbeddingService } from './embedding/embedding-service.js';
import { FleetController } from './fleet/fleet.controller.js';
import { FleetView } from './fleet/fleet-view.js';
import { ModelDirectory } from './fleet/model-directory.js';
import { TextModels } from './fleet/text-models.js';
import { GATEWAY_CONFIG, GATEWAY_ID } from './gateway-config.js';
import { CallEnds } from './grpc/call-ends.js';
import { GrpcServer } from './grpc/grpc-server.js';
import { InferenceCalls } from './grpc/inference-calls.js';
import { IdempotencyStore } from './idempotency/idempotency-store.js';
import { CallerController } from './identity/caller.controller.js';
import { GrpcAuthentication } from './identity/grpc-authentication.js';
import { Identity, openIdentity } from './identity/identity.js';
import { ModelAccess } from './identity/model-access.js';
import { PublicTls } from './identity/public-tls.js';
import { RequestGuard } from './identity/request-guard.js';
import { LimitSubjects } from './limits/limit-subjects.js';
import { RequestLimits } from './limits/request-limits.js';
import { RequestRates } from './limits/request-rates.js';
import { GatewayMetrics } from './observation/gateway-metrics.js';
import { GatewayReadiness } from './observation/gateway-readiness.js';
import { GenAiMetrics } from './observation/gen-ai-metrics.js';
import { FleetOperations } from './operations/fleet-operations.js';
import { LogLevelController } from './operations/log-level.controller.js';
import { StoriesController } from './operations/stories.controller.js';
import { GenerationRunner } from './placement/generation-runner.js';
import { Placer } from './placement/placer.js';
import { SchedulerLinks } from './placement/scheduler-links.js';
import { CompletionsController } from './rest/completions.controller.js';
import { EmbeddingsController } from './rest/embeddings.controller.js';
import { ErrorFilter } from './rest/error.filter.js';
import { ModelsController } from './rest/models.controller.js';
import { UsageController } from './usage/usage.controller.js';
import { UsageRecorder } from './usage/usage-recorder.js';

/** The throttler asks for one; what holds is looked up for each tenant and key. */
const PER_SUBJECT = { name: 'requests', ttl: 60_000, limit: 0 };

/** The gateway's core, without HTTP: what REST and gRPC share. */
@Module({})
class CoreModule {
  static for(config: HydraConfig, logger: Logger): DynamicModule {
    const providers = [
      { provide: GATEWAY_CONFIG, useValue: config },
      { provide: GATEWAY_ID, useFactory: () => `gateway-${newId().slice(0, 12)}` },
      { provide: ChannelSecurity, useFactory: () => openChannelSecurity(config, 'gateway', logger) },
      ...[AdmissionGate, CompletionService, FailureTranslator, PromptEncoder],
      { provide: Identity, useFactory: () => openIdentity(config, logger) },
      { provide: IdentityStore, useFactory: (identity: Identity) => identity.store, inject: [Identity] },
      ...[RequestGuard, ModelAccess, LimitSubjects, RequestRates, RequestLimits],
      UsageRecorder,
      { provide: LimitBook, useFactory: ({ book }: UsageRecorder) => book, inject: [UsageRecorder] },
      { provide: UsageLedger, useFactory: ({ ledger }: UsageRecorder) => ledger, inject: [UsageRecorder] },
      ...[FleetView, ModelDirectory, TextModels],
      ...[SchedulerLinks, Placer, GenerationRunner, EmbeddingService],
      ...[GatewayMetrics, GenAiMetrics],
    ];
    return { module: CoreModule, providers, exports: providers };
  }
}

@Module({})
export class GatewayModule {
  static for(config: HydraConfig, logger: Logger, tls: PublicTls): DynamicModule {
    const core = CoreModule.for(config, logger);
    return {
      module: GatewayModule,
      imports: [
        core,
        ThrottlerModule.forRootAsync({
          imports: [core],
          inject: [UsageRecorder],
          useFactory: ({ windows }: UsageRecorder) => ({ throttlers: [PER_SUBJECT], storage: windows }),
        }),
        ObservabilityModule.forApp({
          ...{ logger, readiness: GatewayReadiness, imports: [core], tracing: config.tracing },
          service: { name: 'hydra-gateway', version: productVersion(), instanceId: `${hostname()}-${process.pid}` },
        }),
      ],
      controllers: [
        ...[CompletionsController, EmbeddingsController, ModelsController],
        ...[TenantsController, KeysController, PoliciesController, LimitsController, AuditController],
        ...[UsageController, FleetController, CallerController, StoriesController, LogLevelController],
      ],
      providers: [
        InferenceCalls,
        CallEnds,
        IdempotencyStore,
        FleetOperations,
        GrpcAuthentication,
        { provide: PublicTls, useValue: tls },
        GrpcServer,
        { provide: APP_FILTER, useClass: ErrorFilter },
      ],
    };
  }
}
