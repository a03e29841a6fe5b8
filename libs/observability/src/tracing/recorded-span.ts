import type { Exemplar } from '../exemplar.js';
import { newSpanId, type TraceContext } from '../trace-context.js';

/**
 * - `server`: work that another process or a client asked for
 * - `client`: waiting for another process
 * - `internal`: work within a process
 */
export type SpanKind = 'server' | 'client' | 'internal';

export type AttributeValue = string | number | boolean | string[];
export type SpanAttributes = Readonly<Record<string, AttributeValue | undefined>>;

/** Something that happened at one moment of a span. */
export interface SpanEvent {
  readonly name: string;
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
  readonly attributes: SpanAttributes;
}

/** How a span failed: a word from a bounded set, and a sentence for people. */
export interface SpanError {
  readonly type: string;
  readonly message: string;
}

/** Whose spans they are: the record of a request. */
export interface SpanOwner {
  /** Whether the trace is kept: it is sampled, or something failed. */
  readonly isKept: boolean;
  readonly exemplar: Exemplar;
  add(span: RecordedSpan): RecordedSpan;
  traceContextOf(span: RecordedSpan): TraceContext;
  /** Something failed. */
  fail(): void;
}

/** Of one span; further ones are counted only. */
const MOST_EVENTS = 64;

/** Something that takes time in one request. All times are those of `performance.now()`, in milliseconds. */
export class RecordedSpan {
  readonly spanId = newSpanId();
  readonly events: SpanEvent[] = [];
  droppedEvents = 0;
  readonly attributes: Record<string, AttributeValue> = {};
  endMs: number | undefined;
  error: SpanError | undefined;

  /** @param parentId  span id; empty for the first span of a trace */
  constructor(
    private readonly owner: SpanOwner,
    public name: string,
    readonly kind: SpanKind,
    readonly parentId: string,
    readonly startMs: number,
  ) {}

  /** What happens within it. */
  child(name: string, kind: SpanKind = 'internal', startMs = performance.now()): RecordedSpan {
    return this.owner.add(new RecordedSpan(this.owner, name, kind, this.spanId, startMs));
  }

  set(attributes: SpanAttributes): this {
    for (const name in attributes) {
      const value = attributes[name];
      if (value !== undefined) this.attributes[name] = value;
    }
    return this;
  }

  event(name: string, attributes: SpanAttributes = {}, atMs = performance.now()): void {
    if (this.events.length < MOST_EVENTS) this.events.push({ name, atMs, attributes });
    else this.droppedEvents++;
  }

  /** A second end is nothing. */
  end(endMs = performance.now()): void {
    this.endMs ??= endMs;
  }

  /** Ends it, and has the whole record count as failed: its trace is kept. */
  fail(error: SpanError, endMs = performance.now()): void {
    if (this.endMs !== undefined) return;
    this.error = error;
    this.endMs = endMs;
    this.owner.fail();
  }

  /** For the process that works for this span. */
  get traceContext(): TraceContext {
    return this.owner.traceContextOf(this);
  }

  get isTraceKept(): boolean {
    return this.owner.isKept;
  }

  /** For what is measured in it. */
  get exemplar(): Exemplar {
    return this.owner.exemplar;
  }

  /** Estimate of what it keeps in memory. */
  get bytes(): number {
    return SPAN_BYTES + Object.keys(this.attributes).length * ATTRIBUTE_BYTES + this.events.length * EVENT_BYTES;
  }
}

/** Heap of 20,000 records with five of each (node --expose-gc, 28 November 2026: 281, 24, 183), rounded up for texts. */
const SPAN_BYTES = 300;
const ATTRIBUTE_BYTES = 50;
const EVENT_BYTES = 200;
