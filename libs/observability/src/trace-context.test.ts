import { describe, expect, it } from 'vitest';
import { requestIdFrom } from './request-id.js';
import { newTraceContext, traceContextOf, traceIdOf } from './trace-context.js';

const VALID = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('traceContextOf', () => {
  it('given a valid traceparent, when read, then trace, flags and state are kept', () => {
    expect(traceContextOf(VALID, 'a=b')).toEqual({ traceparent: VALID, tracestate: 'a=b' });
    expect(traceContextOf(VALID, 'x'.repeat(513))?.tracestate).toBe('');
  });

  it.each([
    undefined,
    '',
    'x',
    VALID.replace(/^00/, 'ff'),
    VALID.replace(/4bf92f3577b34da6a3ce929d0e0e4736/, '0'.repeat(32)),
  ])('given %s, when read, then there is none', (traceparent) => {
    expect(traceContextOf(traceparent, 'a=b')).toBeUndefined();
  });
});

describe('newTraceContext', () => {
  it('given nothing, when made, then it is a valid trace of its own, not sampled', () => {
    const context = newTraceContext();
    expect(context.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(traceContextOf(context.traceparent, '')).toEqual(context);
    expect(traceIdOf(newTraceContext())).not.toBe(traceIdOf(context));
  });
});

describe('requestIdFrom', () => {
  it('given an id of visible ASCII, when read, then it is kept; anything else is replaced', () => {
    expect(requestIdFrom('abc-123')).toBe('abc-123');
    for (const bad of [undefined, '', 'a b', 'a\nb', 'é', 'x'.repeat(129)])
      expect(requestIdFrom(bad)).toMatch(/^[0-9a-f]{32}$/);
  });
});
