import {
  createTraceState,
  type HrTime,
  SpanKind as OtelKind,
  ROOT_CONTEXT,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import { AlwaysOnSampler, BatchSpanProcessor, RandomIdGenerator, TracerProvider } from '@opentelemetry/sdk-trace';
import { TraceService } from 'nestjs-otel';
import type { Logger } from '../logger.js';
import type { RecordedSpan, SpanKind } from './recorded-span.js';
import { ReportingExporter } from './reporting-exporter.js';
import type { RequestRecord } from './request-record.js';
import { type SpanCounts, SpanQueue } from './span-queue.js';
import type { TraceOptions } from './trace-options.js';
import type { WallClock } from './wall-clock.js';

/** What names this process to a collector. */
export interface ServiceName {
  /** `hydra-gateway`, … */
  readonly name: string;
  readonly version: string;
  /** Of this process among those of its name. */
  readonly instanceId: string;
}

/** Time that the last spans have to leave when a process ends, in milliseconds. */
const LAST_SPANS_MS = 2_000;

const KINDS: Readonly<Record<SpanKind, OtelKind>> = {
  server: OtelKind.SERVER,
  client: OtelKind.CLIENT,
  internal: OtelKind.INTERNAL,
};

/**
 * Sends the spans of finished requests by OTLP. They become spans of OpenTelemetry only now, when it is known that their trace is
 * kept: those of all others cost nothing but their record. What the collector does not take in time is dropped, requests as a
 * whole, and counted.
 */
export class TraceExport {
  private readonly provider: TracerProvider;
  private readonly ids = new GivenIds();
  private readonly queue: SpanQueue;
  private readonly traces = new TraceService();

  constructor(
    url: string,
    options: TraceOptions,
    service: ServiceName,
    private readonly clock: WallClock,
    counts: SpanCounts,
    logger: Logger,
  ) {
    this.queue = new SpanQueue(options.queueSpans, counts);
    const exporter = new ReportingExporter(
      new OTLPTraceExporter({ url, timeoutMillis: options.timeoutMs }),
      url,
      this.queue,
      logger,
    );
    this.provider = new TracerProvider({
      sampler: new AlwaysOnSampler(), // whoever gets here was decided upon
      idGenerator: this.ids,
      resource: resourceOf(service),
      spanProcessors: [
        new BatchSpanProcessor({
          exporter,
          maxQueueSize: options.queueSpans,
          maxExportBatchSize: Math.min(options.batchSpans, options.queueSpans),
          scheduledDelayMillis: options.intervalMs,
          exportTimeoutMillis: options.timeoutMs,
        }),
      ],
    });
    trace.setGlobalTracerProvider(this.provider);
  }

  send(record: RequestRecord): void {
    if (!this.queue.admit(record.spans.length)) return;
    record.root.set({
      'hydra.request.id': record.requestId,
      'hydra.tenant.id': record.tenantId || undefined,
      'hydra.generation.ids': record.generationIds.length > 0 ? record.generationIds : undefined,
    });
    for (const span of record.spans) this.sendSpan(span, record);
  }

  /** What waits leaves, as far as the collector takes it now. */
  async close(): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, LAST_SPANS_MS).unref());
    await Promise.race([this.provider.shutdown().catch(() => {}), late]); // the exporter has said what failed
    trace.disable();
  }

  private sendSpan(span: RecordedSpan, { traceId, tracestate }: RequestRecord): void {
    this.ids.next = { traceId, spanId: span.spanId };
    const { kind, parentId, error } = span;
    const parent =
      parentId === ''
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, {
            traceId,
            spanId: parentId,
            traceFlags: TraceFlags.SAMPLED,
            isRemote: kind === 'server',
            ...(tracestate !== '' && { traceState: createTraceState(tracestate) }),
          });
    const attributes = error === undefined ? span.attributes : { ...span.attributes, 'error.type': error.type };
    const startTime = this.time(span.startMs);
    const sent = this.traces.getTracer().startSpan(span.name, { kind: KINDS[kind], startTime, attributes }, parent);
    for (const { name, atMs, attributes } of span.events) sent.addEvent(name, attributes, this.time(atMs));
    if (error !== undefined) sent.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    sent.end(this.time(span.endMs ?? span.startMs));
  }

  private time(atMs: number): HrTime {
    const unixMs = this.clock.unixMs(atMs);
    const seconds = Math.floor(unixMs / 1_000);
    return [seconds, Math.round((unixMs - seconds * 1_000) * 1e6)];
  }
}

/** Spans have had their ids since they began: other processes know them. */
class GivenIds extends RandomIdGenerator {
  next: { readonly traceId: string; readonly spanId: string } | undefined;

  override readonly generateTraceId = () => this.next?.traceId ?? new RandomIdGenerator().generateTraceId();
  override readonly generateSpanId = () => {
    const { next } = this;
    this.next = undefined;
    return next?.spanId ?? new RandomIdGenerator().generateSpanId();
  };
}

/** `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win. */
function resourceOf({ name, version, instanceId }: ServiceName) {
  return resourceFromAttributes({
    'service.name': name,
    'service.namespace': 'hydraserve',
    'service.version': version,
    'service.instance.id': instanceId,
  }).merge(detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] }));
}
