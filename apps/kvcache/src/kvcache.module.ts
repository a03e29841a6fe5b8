import { hostname } from 'node:os';
import { type DynamicModule, Module } from '@nestjs/common';
import { ChannelSecurity, OperationsController, openChannelSecurity } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { productVersion } from '#lib/contracts';
import { type Logger, ObservabilityModule } from '#lib/observability';
import { Announcements } from './announcement/announcements.js';
import { BlockTiers } from './block-tiers.js';
import { HYDRA_CONFIG } from './kvcache-config.js';
import { KvcacheMetrics } from './kvcache-metrics.js';
import { KvcacheReadiness } from './kvcache-readiness.js';

/** What is stored and counted; who reaches it from outside is in `KvcacheModule`. */
@Module({})
class BlocksModule {
  static forConfig(config: HydraConfig): DynamicModule {
    return {
      module: BlocksModule,
      providers: [{ provide: HYDRA_CONFIG, useValue: config }, KvcacheMetrics, BlockTiers],
      exports: [HYDRA_CONFIG, BlockTiers, KvcacheMetrics],
    };
  }
}

@Module({})
export class KvcacheModule {
  static forConfig(config: HydraConfig, logger: Logger): DynamicModule {
    const blocks = BlocksModule.forConfig(config);
    return {
      module: KvcacheModule,
      imports: [
        blocks,
        ObservabilityModule.forApp({
          ...{ logger, readiness: KvcacheReadiness, imports: [blocks], tracing: config.tracing },
          service: { name: 'hydra-kvcache', version: productVersion(), instanceId: `${hostname()}-${process.pid}` },
        }),
      ],
      controllers: [OperationsController],
      providers: [
        { provide: ChannelSecurity, useFactory: () => openChannelSecurity(config, 'kvcache', logger) },
        Announcements,
      ],
    };
  }
}
