import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Counter, register } from 'prom-client';
import type { Logger } from '../logger.js';
import { isFlagged, newTraceContext, type TraceContext, traceContextOf, traceIdOf } from '../trace-context.js';
import { FlightRecorder } from './flight-recorder.js';
import type { RequestRecord } from './request-record.js';
import type { ServiceName, TraceExport } from './trace-export.js';
import { type TraceOptions, tracesUrlOf } from './trace-options.js';
import type { TraceSampler } from './trace-sampler.js';
import { WallClock } from './wall-clock.js';

/** A request of a client, as it came. */
export interface IncomingRequest {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  readonly requestId: string;
  readonly tenantId: string;
}

/** Work that another app asked for. */
export interface RequestedWork {
  readonly trace: TraceContext | undefined;
  readonly requestId: string;
  readonly tenantId: string;
  readonly generationId: string;
}

/**
 * One app's part in traces. Every request is recorded, in memory, by plain objects; when it is over, its spans are sent if its
 * trace was sampled or something in it failed.
 */
@Injectable()
export class Tracing implements OnApplicationShutdown {
  readonly clock = new WallClock();
  readonly recorder: FlightRecorder;
  private sampler: TraceSampler | undefined;
  private exporter: TraceExport | undefined;

  private constructor(recorderBytes: number) {
    this.recorder = new FlightRecorder({ bytes: recorderBytes, onKeep: (record) => this.exporter?.send(record) });
  }

  /** Loads what sends traces only where there is a collector. */
  static async open(options: TraceOptions, service: ServiceName, logger: Logger): Promise<Tracing> {
    const tracing = new Tracing(options.recorderBytes);
    const counts = spanCounts();
    const url = tracesUrlOf(options);
    if (url === undefined) return tracing;
    const { TraceExport } = await import('./trace-export.js');
    const { TraceSampler } = await import('./trace-sampler.js');
    tracing.sampler = new TraceSampler(options);
    tracing.exporter = new TraceExport(url, options, service, tracing.clock, counts, logger);
    return tracing;
  }

  /** A request of a client begins, in the client's trace or in a new one. */
  beginRequest(request: IncomingRequest, name: string): RequestRecord {
    this.clock.adjust();
    const parent = traceContextOf(request.traceparent, request.tracestate);
    const context = parent ?? newTraceContext();
    const parentFlag = parent && isFlagged(parent);
    const isSampled = this.sampler?.isSampled(traceIdOf(context), parentFlag) ?? parentFlag ?? false;
    const trace = { ...context, traceparent: `${context.traceparent.slice(0, 53)}${isSampled ? '01' : '00'}` };
    return this.recorder.begin({ ...request, trace, hasParent: parent !== undefined }, name, 'server');
  }

  /** Work for another app begins: in its trace, kept or not as it says. */
  beginWork(work: RequestedWork, name: string): RequestRecord {
    this.clock.adjust();
    const parent = traceContextOf(work.trace?.traceparent, work.trace?.tracestate);
    const origin = { ...work, trace: parent ?? newTraceContext(), hasParent: parent !== undefined };
    const record = this.recorder.begin(origin, name, 'server');
    record.generationIds.push(work.generationId);
    return record;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.exporter?.close();
  }
}

function spanCounts() {
  const exported = counter('hydra_trace_spans_exported_total', 'Spans that the collector has taken.', []);
  const dropped = counter(
    'hydra_trace_spans_dropped_total',
    'Spans of kept traces that were lost: `queue-full`, or `collector` for what it did not take.',
    ['reason'],
  );
  return {
    exported: (spans: number) => exported.inc(spans),
    dropped: (spans: number, reason: string) => dropped.inc({ reason }, spans),
  };
}

function counter(name: string, help: string, labelNames: string[]): Counter {
  return (register.getSingleMetric(name) as Counter | undefined) ?? new Counter({ name, help, labelNames });
}
