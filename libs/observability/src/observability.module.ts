import { type DynamicModule, Inject, Module, type OnModuleInit, type Type } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import type { FastifyInstance } from 'fastify';
import { LoggerModule } from 'nestjs-pino';
import { APP_LOGGER } from './app-logger.js';
import { HealthController, Readiness } from './health.js';
import { LogLevel } from './log-level.js';
import type { Logger } from './logger.js';
import { MetricsController } from './metrics.controller.js';
import { logRequests } from './request-log.js';
import type { ServiceName } from './tracing/trace-export.js';
import type { TraceOptions } from './tracing/trace-options.js';
import { Tracing } from './tracing/tracing.js';

export interface ObservabilityOptions {
  readonly logger: Logger;
  readonly tracing: TraceOptions;
  /** This process, to collectors. */
  readonly service: ServiceName;
  /** The app's readiness; made by Nest with the given dependencies. */
  readonly readiness: Type<Readiness>;
  /** Modules whose exports `readiness` needs. */
  readonly imports?: DynamicModule['imports'];
}

/**
 * What every app has: request logs, `/health/*` and `/metrics` (prom-client's default registry, Node's own metrics too).
 * Global, so that `APP_LOGGER` can be injected anywhere.
 */
@Module({})
export class ObservabilityModule implements OnModuleInit {
  constructor(
    private readonly adapter: HttpAdapterHost,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    logRequests(this.adapter.httpAdapter.getInstance<FastifyInstance>(), this.logger);
  }

  static forApp({ logger, tracing, service, readiness, imports = [] }: ObservabilityOptions): DynamicModule {
    return {
      module: ObservabilityModule,
      global: true,
      imports: [
        ...imports,
        LoggerModule.forRoot({ pinoHttp: { logger }, forRoutes: [] }), // Nest's own lines; requests: `logRequests`
        PrometheusModule.register({
          path: '/metrics',
          controller: MetricsController,
          defaultMetrics: { enabled: true },
        }),
        TerminusModule.forRoot({ logger: false }),
      ],
      controllers: [HealthController],
      providers: [
        { provide: APP_LOGGER, useValue: logger },
        LogLevel,
        { provide: Tracing, useFactory: () => Tracing.open(tracing, service, logger) },
        { provide: Readiness, useClass: readiness },
      ],
      exports: [APP_LOGGER, Readiness, Tracing, LogLevel],
    };
  }
}

/** Seconds, from half a millisecond to minutes: buckets of every latency histogram, so that panels compare. */
export const LATENCY_BUCKETS_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 120, 300,
];
