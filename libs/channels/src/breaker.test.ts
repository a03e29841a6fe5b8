import { describe, expect, it } from 'vitest';
import { Breaker } from './breaker.js';

function opened(): Breaker {
  const breaker = new Breaker();
  for (let call = 0; call < 3; call++) {
    expect(breaker.mayCall(0)).toBe(true);
    breaker.failed(0);
  }
  return breaker;
}

describe('a breaker', () => {
  it('given failures in a row, then it opens, and lets one trial through after the pause', () => {
    const breaker = opened();
    expect(breaker.isOpen).toBe(true);
    expect(breaker.mayCall(499)).toBe(false);
    expect(breaker.mayCall(500)).toBe(true);
    expect(breaker.mayCall(500)).toBe(false);
    breaker.succeeded();
    expect([breaker.isOpen, breaker.mayCall(500), breaker.mayCall(500)]).toEqual([false, true, true]);
  });

  it('given trials that fail, then pauses grow up to a bound', () => {
    const breaker = opened();
    let now = 0;
    for (const pauseMs of [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      expect(breaker.mayCall(now + pauseMs - 1), `${pauseMs}`).toBe(false);
      now += pauseMs;
      expect(breaker.mayCall(now), `${pauseMs}`).toBe(true);
      breaker.failed(now);
    }
  });

  it('given a success between failures, then it stays closed', () => {
    const breaker = new Breaker();
    for (const call of ['failed', 'failed', 'succeeded', 'failed', 'failed'] as const) breaker[call](0);
    expect(breaker.isOpen).toBe(false);
  });

  it('given a trial whose caller left, then another may try', () => {
    const breaker = opened();
    expect(breaker.mayCall(500)).toBe(true);
    breaker.abandoned();
    expect(breaker.mayCall(500)).toBe(true);
  });

  it('given calls of before that fail late, then the pause is no longer for them', () => {
    const breaker = opened();
    breaker.failed(400);
    expect(breaker.mayCall(500)).toBe(true);
  });
});
