import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { IDLE_STATE } from '../idle-state.js';
import { Watchdog } from './watchdog.js';

const TIMEOUT_MS = 1_000;
const LATEST_MS = TIMEOUT_MS * 1.25;

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function watched(answer: (watchdog: Watchdog) => void, isBusy = () => true) {
  let hangs = 0;
  const watchdog: Watchdog = new Watchdog({
    timeoutMs: TIMEOUT_MS,
    isBusy,
    ask: () => answer(watchdog),
    onHang: () => hangs++,
  });
  watchdog.start();
  return { watchdog, hangs: () => hangs };
}

it('given an engine that does not answer, when the timeout has passed, then it hangs, said once', () => {
  const { hangs } = watched(() => {});
  vi.advanceTimersByTime(TIMEOUT_MS);
  expect(hangs()).toBe(0);
  vi.advanceTimersByTime(LATEST_MS - TIMEOUT_MS);
  expect(hangs()).toBe(1);
  vi.advanceTimersByTime(10 * TIMEOUT_MS);
  expect(hangs()).toBe(1);
});

it('given an engine that answers but whose step does not end, when the timeout has passed, then it hangs', () => {
  const { hangs } = watched((watchdog) => watchdog.heard({ ...IDLE_STATE, steps: 0, isStepping: true }));
  vi.advanceTimersByTime(LATEST_MS);
  expect(hangs()).toBe(1);
});

it('given generations that rest without credit, when the engine answers that it computes nothing, then it does not hang', () => {
  const { hangs } = watched((watchdog) => watchdog.heard(IDLE_STATE));
  vi.advanceTimersByTime(100 * TIMEOUT_MS);
  expect(hangs()).toBe(0);
});

it('given long steps that end, when each is shorter than the timeout, then it does not hang', () => {
  let looks = 0;
  const { hangs } = watched((watchdog) =>
    watchdog.heard({ ...IDLE_STATE, steps: Math.floor(looks++ / 3), isStepping: true }),
  );
  vi.advanceTimersByTime(100 * TIMEOUT_MS);
  expect(hangs()).toBe(0);
});

it('given nothing to do, when time passes, then it is not asked and does not hang', () => {
  let asked = 0;
  const { hangs } = watched(
    () => asked++,
    () => false,
  );
  vi.advanceTimersByTime(100 * TIMEOUT_MS);
  expect([asked, hangs()]).toEqual([0, 0]);
});
