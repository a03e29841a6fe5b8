export { APP_LOGGER } from './app-logger.js';
export { type Exemplar, histogramWithExemplars, NO_EXEMPLAR, observe } from './exemplar.js';
export { FlatLines } from './flat-lines.js';
export { followConfig, type ReloadableConfig } from './follow-config.js';
export { HealthController, Readiness, type ReadinessState } from './health.js';
export { isListeningMessage, type ListeningMessage, reportListening } from './listening.js';
export { LogLevel, type LogLevelChange } from './log-level.js';
export { createLogger, type GenerationRef, generationFields, type Logger, type LogOptions } from './logger.js';
export {
  LATENCY_BUCKETS_SECONDS,
  ObservabilityModule,
  type ObservabilityOptions,
} from './observability.module.js';
export { beginAtZero, ownedCounter, readCounter, readGauge } from './owned-metrics.js';
export { ownedName } from './owned-name.js';
export { newId, requestIdFrom } from './request-id.js';
export { requestFields, tieRecord, tieTenant } from './request-log.js';
export { SeriesCounter, SeriesHistogram } from './series.js';
export { type TraceContext, traceIdOf } from './trace-context.js';
export { DeferredAttributes, type RecordedSpan, type SpanError } from './tracing/recorded-span.js';
export type { RequestRecord } from './tracing/request-record.js';
export { Tracing } from './tracing/tracing.js';
