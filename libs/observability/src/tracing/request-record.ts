import { type Exemplar, NO_EXEMPLAR } from '../exemplar.js';
import { isFlagged, type TraceContext, traceIdOf } from '../trace-context.js';
import { RecordedSpan, type SpanKind, type SpanOwner } from './recorded-span.js';

/** Whose request it is. */
export interface RequestOrigin {
  /** Parent of the record's first span; its flag says whether the trace is sampled. */
  readonly trace: TraceContext;
  /** Whether the parent is a span of the caller; otherwise this process begins the trace. */
  readonly hasParent: boolean;
  readonly requestId: string;
  readonly tenantId: string;
}

/** Of one record; what is beyond is counted only. A request of 128 prompts has some 500. */
const MOST_SPANS = 1_024;

/** Who is told of a record. */
export interface RecordKeeper {
  /** It is over, and has its size. Once. */
  closed(record: RequestRecord): void;
  /** It is over, and its trace is kept: it was sampled, or something failed. At most once, after `closed`. */
  kept(record: RequestRecord): void;
}

/** What one app keeps of one request: its spans. No prompt and no text is in it. */
export class RequestRecord implements SpanOwner {
  readonly traceId: string;
  readonly requestId: string;
  readonly tenantId: string;
  readonly generationIds: string[] = [];
  /** Under which the flight recorder knows it beside its ids. */
  readonly names: string[] = [];
  readonly spans: RecordedSpan[] = [];
  readonly root: RecordedSpan;
  readonly isSampled: boolean;
  droppedSpans = 0;
  hasFailed = false;
  isClosed = false;
  /** What it counts for in the flight recorder, once it is over. */
  heldBytes = 0;
  readonly tracestate: string;

  constructor(
    origin: RequestOrigin,
    name: string,
    kind: SpanKind,
    startMs: number,
    private readonly keeper: RecordKeeper,
  ) {
    const { traceparent, tracestate } = origin.trace;
    this.traceId = traceIdOf(origin.trace);
    this.isSampled = isFlagged(origin.trace);
    this.tracestate = tracestate;
    this.requestId = origin.requestId;
    this.tenantId = origin.tenantId;
    this.root = new RecordedSpan(this, name, kind, origin.hasParent ? traceparent.slice(36, 52) : '', startMs);
    this.spans.push(this.root);
  }

  /** Sampled traces are kept, and those in which something failed. */
  get isKept(): boolean {
    return this.isSampled || this.hasFailed;
  }

  /** For what is measured in it: points to its trace if that is kept, as far as is known by now. */
  get exemplar(): Exemplar {
    return this.isKept ? { trace_id: this.traceId } : NO_EXEMPLAR;
  }

  add(span: RecordedSpan): RecordedSpan {
    if (this.spans.length < MOST_SPANS) this.spans.push(span);
    else this.droppedSpans++;
    return span;
  }

  traceContextOf({ spanId }: RecordedSpan): TraceContext {
    const flags = this.isKept ? '01' : '00';
    return { traceparent: `00-${this.traceId}-${spanId}-${flags}`, tracestate: this.tracestate };
  }

  /** Something failed, also when that shows after its end. */
  fail(): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    if (this.isClosed && !this.isSampled) this.keeper.kept(this);
  }

  /** Nothing more is to come: what is open ends now. */
  close(endMs = performance.now()): void {
    if (this.isClosed) return;
    for (const span of this.spans) span.end(endMs);
    this.isClosed = true;
    this.keeper.closed(this);
    if (this.isKept) this.keeper.kept(this);
  }

  /** What its log lines have beside the request's id. */
  get logFields(): Record<string, unknown> {
    const { tenantId, traceId, generationIds } = this;
    const [generation_id] = generationIds;
    return { tenant_id: tenantId, trace_id: traceId, ...(generation_id !== undefined && { generation_id }) };
  }

  /** Estimate of what it keeps in memory. */
  get bytes(): number {
    return this.spans.reduce((sum, span) => sum + span.bytes, RECORD_BYTES);
  }
}

/** As measured beside them: 530. */
const RECORD_BYTES = 600;
