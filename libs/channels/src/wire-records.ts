import type { RequestRecord as WireRecord, RecordedSpan as WireSpan } from '#lib/contracts';
import type { RecordedSpan, RequestRecord, Tracing } from '#lib/observability';

/** Of one request in one app: a request is placed and tried a few times, and an id of a client may be used again. */
const MOST_RECORDS = 64;

/**
 * What an app remembers of a request, for the wire.
 * @param id        of a request, a generation or a trace
 * @param tenantId  only what belongs to it; empty for all
 */
export function toWireRecords({ recorder, clock }: Tracing, app: string, id: string, tenantId: string): WireRecord[] {
  const found = recorder.find(id).filter((record) => tenantId === '' || record.tenantId === tenantId);
  return found.slice(-MOST_RECORDS).map((record) => toWire(record, app, (atMs) => clock.unixMs(atMs)));
}

function toWire(record: RequestRecord, app: string, unixMs: (atMs: number) => number): WireRecord {
  const { traceId, requestId, tenantId, generationIds, isClosed, spans, droppedSpans } = record;
  return {
    ...{ app, traceId, requestId, tenantId, generationIds: [...generationIds], isOver: isClosed, droppedSpans },
    spans: spans.map((span) => toWireSpan(span, unixMs)),
  };
}

function toWireSpan(span: RecordedSpan, unixMs: (atMs: number) => number): WireSpan {
  const { name, spanId, parentId, startMs, endMs, attributes, events, error } = span;
  return {
    ...{ name, spanId, parentSpanId: parentId, isOpen: endMs === undefined, attributes: jsonValues(attributes) },
    startUnixUs: Math.round(unixMs(startMs) * 1_000),
    durationUs: microseconds((endMs ?? performance.now()) - startMs),
    events: events.map((event) => ({
      name: event.name,
      offsetUs: microseconds(event.atMs - startMs),
      attributes: jsonValues(event.attributes),
    })),
    ...{ errorType: error?.type ?? '', errorMessage: error?.message ?? '' },
  };
}

function microseconds(ms: number): number {
  return Math.max(0, Math.round(ms * 1_000));
}

function jsonValues(attributes: Readonly<Record<string, unknown>>): Record<string, string> {
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, JSON.stringify(value)]));
}
