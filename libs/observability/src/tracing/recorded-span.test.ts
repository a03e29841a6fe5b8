import { describe, expect, it } from 'vitest';
import { NO_EXEMPLAR } from '../exemplar.js';
import { DeferredAttributes, RecordedSpan, type SpanAttributes, type SpanOwner } from './recorded-span.js';

const owner: SpanOwner = {
  isKept: false,
  exemplar: NO_EXEMPLAR,
  add: (span) => span,
  traceContextOf: () => ({ traceparent: '', tracestate: '' }),
  fail: () => {},
};

function spanWith(attributes: SpanAttributes | DeferredAttributes): RecordedSpan {
  const span = new RecordedSpan(owner, 'place', 'server', '', 0);
  span.event('candidate', attributes, 5);
  return span;
}

describe('an event of a span', () => {
  it('given attributes that are put together when they are read, then it counts as the same ones do, and nobody put them together', () => {
    const attributes = { a: 1, b: 'two' };
    let reads = 0;
    const read = () => {
      reads++;
      return attributes;
    };
    const deferred = spanWith(new DeferredAttributes(2, read));
    expect([deferred.bytes, reads]).toEqual([spanWith(attributes).bytes, 0]);
    expect(deferred.events).toEqual(spanWith(attributes).events);
    expect(reads).toBe(1);
  });
});
