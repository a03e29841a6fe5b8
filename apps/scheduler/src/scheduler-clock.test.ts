import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PlaceRequest } from '#lib/contracts';
import { fromPlaceRequest } from './place-request.js';
import { fromUnixMs, nowMs, toUnixMs } from './scheduler-clock.js';

const HOUR_MS = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe.each([-HOUR_MS, HOUR_MS])('given a wall clock that was set by %d ms', (byMs) => {
  beforeEach(() => {
    vi.setSystemTime(Date.now() + byMs);
  });

  it('then a time of it is as far ahead on the scheduler clock, and comes back the same', () => {
    const soonUnixMs = Date.now() + 5_000;
    const aheadMs = fromUnixMs(soonUnixMs) - nowMs();
    expect(aheadMs).toBeLessThanOrEqual(5_000);
    expect(aheadMs).toBeGreaterThan(0);
    expect(Math.abs(toUnixMs(fromUnixMs(soonUnixMs)) - soonUnixMs)).toBeLessThan(HOUR_MS / 2);
  });

  it("then a request's deadline has neither passed nor moved away", () => {
    const wire = PlaceRequest.fromPartial({ generationId: 'g', modelId: 'm', ttftDeadlineUnixMs: Date.now() + 5_000 });
    const aheadMs = fromPlaceRequest(wire).ttftDeadlineUnixMs - nowMs();
    expect(aheadMs).toBeLessThanOrEqual(5_000);
    expect(aheadMs).toBeGreaterThan(0);
    expect(fromPlaceRequest({ ...wire, ttftDeadlineUnixMs: 0 }).ttftDeadlineUnixMs).toBe(0);
  });
});
