import { newId, newShortId } from './request-id.js';

/** The trace a piece of work belongs to. @see W3C Trace Context level 2, https://www.w3.org/TR/trace-context-2/ */
export interface TraceContext {
  /** `traceparent` header, 55 characters. */
  readonly traceparent: string;
  /** `tracestate` header, at most 512 characters; empty when absent. */
  readonly tracestate: string;
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;
const LONGEST_TRACESTATE = 512;
/** What the specification takes for no span. */
const NO_SPAN_ID = '0'.repeat(16);

/**
 * A caller's context; undefined when there is none. An invalid `traceparent` is ignored together with its `tracestate`, as the
 * specification asks.
 */
export function traceContextOf(
  traceparent: string | undefined,
  tracestate: string | undefined,
): TraceContext | undefined {
  const given = traceparent?.trim().toLowerCase();
  if (given === undefined || !TRACEPARENT.test(given)) return undefined;
  const state = tracestate !== undefined && tracestate.length <= LONGEST_TRACESTATE ? tracestate : '';
  return { traceparent: `00-${given.slice(3, 55)}`, tracestate: state };
}

/** A new trace, not sampled by itself: the flag is the client's to set. */
export function newTraceContext(): TraceContext {
  return { traceparent: `00-${newId()}-${newSpanId()}-00`, tracestate: '' };
}

/** The 32 hexadecimal digits that name the trace; empty for an empty `traceparent`. */
export function traceIdOf(context: { readonly traceparent: string } | undefined): string {
  return context?.traceparent.slice(3, 35) ?? '';
}

/** Whether the flag of a valid `traceparent` says that the trace is sampled. */
export function isFlagged({ traceparent }: TraceContext): boolean {
  return (Number.parseInt(traceparent.slice(53, 55), 16) & 1) === 1;
}

/** 16 random hexadecimal digits, not all of them zero. */
export function newSpanId(): string {
  const id = newShortId();
  return id === NO_SPAN_ID ? newSpanId() : id;
}
