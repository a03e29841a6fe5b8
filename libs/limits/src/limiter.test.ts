import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LimitedSubject, type LimitedUse, Limiter } from './limiter.js';

const subject = (id: string, limits: LimitedSubject['limits']): LimitedSubject => ({ id, limits });
const allowed = (limiter: Limiter, subjects: readonly LimitedSubject[], tokens: number, nowMs: number): LimitedUse => {
  const decision = limiter.reserve(subjects, tokens, nowMs);
  if (!decision.isAllowed) throw new Error(`refused by ${decision.name}`);
  return decision.use;
};

describe('the limiter', () => {
  it('given requests beyond the limit of a minute, then the next is told when to come back', () => {
    const limiter = new Limiter();
    const of = [subject('acme', { requestsPerMinute: 2 })];
    expect(allowed(limiter, of, 10, 0).requests).toEqual({ limit: 2, remaining: 1, resetMs: 61_000 });
    allowed(limiter, of, 10, 500);
    const refused = limiter.reserve(of, 10, 1_000);
    expect(refused).toMatchObject({
      ...{ isAllowed: false, subjectId: 'acme', name: 'requestsPerMinute' },
      ...{ limit: 2, used: 2, asked: 1, retryAfterMs: 60_000 },
    });
    expect(limiter.reserve(of, 10, 61_000).isAllowed).toBe(true);
  });

  it('given tokens reserved, when settled to what was used, then the rest is free at once', () => {
    const limiter = new Limiter();
    const of = [subject('acme', { tokensPerMinute: 100 })];
    const use = allowed(limiter, of, 90, 0);
    expect(limiter.reserve(of, 20, 1).isAllowed).toBe(false);
    use.settle(30, 2);
    use.settle(0, 3); // once
    expect(allowed(limiter, of, 70, 4).tokens?.remaining).toBe(0);
    expect(limiter.reserve(of, 101, 200_000)).toMatchObject({ isAllowed: false, retryAfterMs: Infinity });
  });

  it('given as many at once as may run, then the next waits until one ends', () => {
    const limiter = new Limiter();
    const of = [subject('acme', { concurrentRequests: 1 })];
    const use = allowed(limiter, of, 1, 0);
    expect(limiter.reserve(of, 1, 0)).toMatchObject({ isAllowed: false, name: 'concurrentRequests' });
    use.settle(1, 1);
    expect(limiter.reserve(of, 1, 1).isAllowed).toBe(true);
  });

  it('given a refusal by one subject, then the others are not charged', () => {
    const limiter = new Limiter();
    const tenant = subject('acme', { requestsPerMinute: 10, tokensPerMinute: 1_000, concurrentRequests: 10 });
    const key = subject('key', { requestsPerMinute: 1 });
    allowed(limiter, [tenant, key], 10, 0).settle(10, 0);
    for (let i = 0; i < 50; i++) expect(limiter.reserve([tenant, key], 10, 0).isAllowed).toBe(false);
    expect(allowed(limiter, [tenant], 10, 0).requests?.remaining).toBe(8);
  });

  it('given limits that change while requests run, then their places are given back all the same', () => {
    const limiter = new Limiter();
    const use = allowed(limiter, [subject('acme', { concurrentRequests: 2 })], 1, 0);
    const changed = [subject('acme', { concurrentRequests: 1 })];
    expect(limiter.reserve(changed, 1, 1).isAllowed).toBe(false);
    use.settle(1, 2);
    expect(limiter.reserve(changed, 1, 3).isAllowed).toBe(true);
  });

  it('given subjects that nobody asks for any more, then they are forgotten; those with requests are not', () => {
    const limiter = new Limiter();
    for (let i = 0; i < 1_000; i++) allowed(limiter, [subject(`t-${i}`, { requestsPerMinute: 5 })], 1, 0).settle(1, 0);
    const running = allowed(limiter, [subject('running', { concurrentRequests: 1 })], 1, 0);
    expect(limiter.size).toBe(1_001);
    limiter.reserve([subject('other', { requestsPerMinute: 5 })], 1, 600_000);
    expect(limiter.size).toBe(2);
    expect(limiter.reserve([subject('running', { concurrentRequests: 1 })], 1, 600_000).isAllowed).toBe(false);
    running.settle(1, 600_000);
  });

  it('given any requests that begin and end, then what runs is never above its limit and nothing leaks', () =>
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant('begin'), fc.nat(5)), { maxLength: 100 }), (acts) => {
        const limiter = new Limiter();
        const of = [subject('acme', { concurrentRequests: 3, tokensPerMinute: 1_000_000 })];
        const uses: LimitedUse[] = [];
        for (const act of acts) {
          if (act === 'begin') {
            const decision = limiter.reserve(of, 5, 0);
            expect(decision.isAllowed).toBe(uses.length < 3);
            if (decision.isAllowed) uses.push(decision.use);
          } else {
            uses.splice(Number(act), 1)[0]?.settle(3, 0);
          }
        }
        for (const use of uses.splice(0)) use.settle(3, 0);
        expect([1, 2, 3].map(() => limiter.reserve(of, 5, 0).isAllowed)).toEqual([true, true, true]);
      }),
    ));
});
