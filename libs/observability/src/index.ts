export { followConfig, type ReloadableConfig } from './follow-config.js';
export { HealthController, Readiness, type ReadinessState } from './health.js';
export { isListeningMessage, type ListeningMessage, reportListening } from './listening.js';
export { createLogger, type GenerationRef, generationFields, type Logger, type LogOptions } from './logger.js';
export {
  APP_LOGGER,
  LATENCY_BUCKETS_SECONDS,
  ObservabilityModule,
  type ObservabilityOptions,
} from './observability.module.js';
export { newId, requestIdFrom } from './request-id.js';
export { childOf, newTraceContext, type TraceContext, traceContextFrom, traceIdOf } from './trace-context.js';
