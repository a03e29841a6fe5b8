import { describe, expect, it } from 'vitest';
import { requestIdFrom } from './request-id.js';
import { childOf, traceContextFrom, traceIdOf } from './trace-context.js';

const VALID = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('traceContextFrom', () => {
  it('given a valid traceparent, when read, then trace, flags and state are kept, and a child has a span of its own', () => {
    const context = traceContextFrom(VALID, 'a=b');
    expect(context).toEqual({ traceparent: VALID, tracestate: 'a=b' });
    const child = childOf(context);
    expect(traceIdOf(child)).toBe(traceIdOf(context));
    expect(child.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(child.traceparent).not.toBe(VALID);
  });

  it.each([
    undefined,
    '',
    'x',
    VALID.replace(/^00/, 'ff'),
    VALID.replace(/4bf92f3577b34da6a3ce929d0e0e4736/, '0'.repeat(32)),
  ])('given %s, when read, then a new trace begins', (traceparent) => {
    const context = traceContextFrom(traceparent, 'a=b');
    expect(context.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(context.tracestate).toBe('');
  });
});

describe('requestIdFrom', () => {
  it('given an id of visible ASCII, when read, then it is kept; anything else is replaced', () => {
    expect(requestIdFrom('abc-123')).toBe('abc-123');
    for (const bad of [undefined, '', 'a b', 'a\nb', 'é', 'x'.repeat(129)])
      expect(requestIdFrom(bad)).toMatch(/^[0-9a-f]{32}$/);
  });
});
