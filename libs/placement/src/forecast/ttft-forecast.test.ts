import { describe, expect, it } from 'vitest';
import { forecastTtft, idle, load, mirror, question, sent } from './forecast.test-support.js';

describe('a forecast of the first token', () => {
  it('of an idle worker is the prompt without what is cached', () => {
    expect(forecastTtft(mirror(), question).ttftMs).toBeCloseTo(30, 0);
    expect(forecastTtft(mirror(), { ...question, cachedTokens: 500 }).ttftMs).toBeCloseTo(20, 0);
  });

  it('counts prompts sent a moment ago, until they are computed or have ended', () => {
    const busy = mirror();
    sent(busy, 'a', 3_000);
    sent(busy, 'b', 1_000);
    const before = forecastTtft(busy, question);
    expect(before.ttftMs).toBeCloseTo(3 * 10 + 0.02 * 5_000, 0);
    busy.report({ ...idle, prompts: [{ generationId: 'a', remainingTokens: 1_000 }] }, 0);
    expect(forecastTtft(busy, question).ttftMs).toBeCloseTo(2 * 10 + 0.02 * 3_000, 0);
    busy.report({ ...idle, prompts: [{ generationId: 'a', remainingTokens: 0 }] }, 0);
    busy.ended('b');
    expect(forecastTtft(busy, question).ttftMs).toBeCloseTo(30, 0);
  });

  it('counts the rest of the step that runs', () => {
    const busy = mirror();
    busy.report({ ...idle, begun: load({ prefillTokens: 2_000 }) }, 100);
    expect(forecastTtft(busy, { ...question, nowMs: 120 }).stepMs).toBeCloseTo(30, 0);
    expect(forecastTtft(busy, { ...question, nowMs: 900 }).stepMs).toBe(0);
  });

  it('of a shortest-first worker passes long prompts until they have waited enough', () => {
    const busy = mirror();
    sent(busy, 'long', 20_000);
    const passing = forecastTtft(busy, { ...question, order: 'srpt' });
    expect([passing.delayedPrompts, Math.round(passing.ttftMs)]).toEqual([1, 30]);
    const later = forecastTtft(busy, { ...question, order: 'srpt', nowMs: 30_000 });
    expect(later.delayedPrompts).toBe(0);
    expect(later.ttftMs).toBeGreaterThan(400);
  });
});
