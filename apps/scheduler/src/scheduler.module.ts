import { hostname } from 'node:os';
import { type DynamicModule, Module } from '@nestjs/common';
import { ChannelSecurity, OperationsController, openChannelSecurity } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { productVersion } from '#lib/contracts';
import { type Logger, ObservabilityModule } from '#lib/observability';
import { createStrategy, PlacementStrategy, STRATEGY_NAMES } from '#lib/placement';
import { CacheAnnouncements } from './cache-announcements.js';
import { FleetController } from './fleet.controller.js';
import { FleetWatchers } from './fleet-watchers.js';
import { LeaseReleases } from './lease-releases.js';
import { ModelStrategies, PLACEMENT_STRATEGIES } from './model-strategies.js';
import { PlaceCalls } from './place-calls.js';
import { PlaceStreams } from './place-streams.js';
import { PlacementController } from './placement.controller.js';
import { PlacementDesk } from './placement-desk.js';
import { PlacementMetrics } from './placement-metrics.js';
import { HYDRA_CONFIG } from './scheduler-config.js';
import { SchedulerReadiness } from './scheduler-readiness.js';
import { WorkerMemberships } from './worker-memberships.js';

/** Nest token of one strategy: override it to place by your own. */
export const strategyToken = (name: string) => `placement strategy ${name}`;

/** What decides and what is counted; the controllers are in `SchedulerModule`. */
@Module({})
class PlacementModule {
  static forConfig(config: HydraConfig): DynamicModule {
    const { consistentHashLoadFactor, weighted } = config.scheduler;
    const options = { consistentHashLoadFactor, weighted };
    return {
      module: PlacementModule,
      providers: [
        { provide: HYDRA_CONFIG, useValue: config },
        ...STRATEGY_NAMES.map((name) => ({
          provide: strategyToken(name),
          useFactory: () => createStrategy(name, options),
        })),
        {
          provide: PLACEMENT_STRATEGIES,
          useFactory: (...all: PlacementStrategy[]) => all,
          inject: STRATEGY_NAMES.map(strategyToken),
        },
        ModelStrategies,
        PlacementMetrics,
        PlacementDesk,
      ],
      exports: [HYDRA_CONFIG, PlacementDesk],
    };
  }
}

@Module({})
export class SchedulerModule {
  static forConfig(config: HydraConfig, logger: Logger): DynamicModule {
    const placement = PlacementModule.forConfig(config);
    return {
      module: SchedulerModule,
      imports: [
        placement,
        ObservabilityModule.forApp({
          ...{ logger, readiness: SchedulerReadiness, imports: [placement], tracing: config.tracing },
          service: { name: 'hydra-scheduler', version: productVersion(), instanceId: `${hostname()}-${process.pid}` },
        }),
      ],
      controllers: [PlacementController, FleetController, OperationsController],
      providers: [
        { provide: ChannelSecurity, useFactory: () => openChannelSecurity(config, 'scheduler', logger) },
        ...[WorkerMemberships, CacheAnnouncements, FleetWatchers, PlaceCalls, PlaceStreams, LeaseReleases],
      ],
    };
  }
}
