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

/** Attributes that are put together when somebody reads them: of most spans nobody does. */
export class DeferredAttributes {
  /**
   * @param count  how many there will be
   * @param read   from what does not change any more
   */
  constructor(
    readonly count: number,
    readonly read: () => SpanAttributes,
  ) {}
}

interface NotedEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: SpanAttributes | DeferredAttributes;
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
/** Of one span, until they are put together. */
const MOST_GIVEN = 16;

/** Something that takes time in one request. All times are those of `performance.now()`, in milliseconds. */
export class RecordedSpan {
  readonly spanId = newSpanId();
  droppedEvents = 0;
  endMs: number | undefined;
  error: SpanError | undefined;
  /** As they were given, the first with a place of its own: most spans have few, and most are never read. */
  private firstGiven: SpanAttributes | undefined;
  private laterGiven: SpanAttributes[] | undefined;
  private noted: NotedEvent[] | undefined;

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

  /** @param attributes  not to be changed afterwards */
  set(attributes: SpanAttributes): this {
    if (this.firstGiven === undefined) this.firstGiven = attributes;
    else if (this.laterGiven === undefined) this.laterGiven = [attributes];
    else if (this.laterGiven.length < MOST_GIVEN) this.laterGiven.push(attributes);
    else {
      this.firstGiven = this.attributes;
      this.laterGiven = [attributes];
    }
    return this;
  }

  /** What was set last counts; what was set to nothing counts not at all. Put together with each call. */
  get attributes(): Readonly<Record<string, AttributeValue>> {
    const merged: Record<string, AttributeValue> = {};
    for (const given of [this.firstGiven, ...(this.laterGiven ?? [])]) {
      for (const [name, value] of Object.entries(given ?? {})) if (value !== undefined) merged[name] = value;
    }
    return merged;
  }

  /** Put together with each call. */
  get events(): readonly SpanEvent[] {
    return (this.noted ?? NO_EVENTS).map(({ name, atMs, attributes }) => ({
      name,
      atMs,
      attributes: attributes instanceof DeferredAttributes ? attributes.read() : attributes,
    }));
  }

  event(name: string, attributes: SpanAttributes | DeferredAttributes = NO_ATTRIBUTES, atMs = performance.now()): void {
    const event = { name, atMs, attributes };
    if (this.noted === undefined) this.noted = [event];
    else if (this.noted.length < MOST_EVENTS) this.noted.push(event);
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
    let attributes = this.firstGiven === undefined ? 0 : countOf(this.firstGiven);
    for (const given of this.laterGiven ?? NO_GIVEN) attributes += countOf(given);
    let bytes = SPAN_BYTES + attributes * ATTRIBUTE_BYTES;
    for (const { attributes: given } of this.noted ?? NO_EVENTS) {
      bytes += EVENT_BYTES + countOf(given) * EVENT_ATTRIBUTE_BYTES;
    }
    return bytes;
  }
}

function countOf(attributes: SpanAttributes | DeferredAttributes): number {
  if (attributes instanceof DeferredAttributes) return attributes.count;
  let count = 0;
  for (const _ in attributes) count++;
  return count;
}

const NO_EVENTS: readonly NotedEvent[] = [];
const NO_ATTRIBUTES: SpanAttributes = {};
const NO_GIVEN: readonly SpanAttributes[] = [];

/** Heap of 20,000 records with five of each (node --expose-gc, 28 November 2026: 281, 24, 183), rounded up for texts. */
const SPAN_BYTES = 300;
const ATTRIBUTE_BYTES = 50;
const EVENT_BYTES = 200;
/** Most of them are numbers: an event of 19 takes 620 bytes (3,000 records of 4 and of 16, node --expose-gc, 29 November 2026). */
const EVENT_ATTRIBUTE_BYTES = 25;
