import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixHashes } from '#lib/kv';
import { emptyIndex, request, servedModel, workerView } from '../placement.test-support.js';
import { ExpectedPrefix } from './expected-prefix.js';
import { Followers } from './followers.js';
import { forecastTtft, idle, load, mirror, question, sent } from './forecast.test-support.js';
import { MeanWork } from './mean-work.js';
import { type StepLoad, StepTimeModel } from './step-time-model.js';
import { WorkerMirror } from './worker-mirror.js';

const anyLoad = fc.record({
  prefillTokens: fc.nat({ max: 2_048 }),
  decodingSequences: fc.nat({ max: 64 }),
  contextTokens: fc.nat({ max: 200_000 }),
  attentionPairs: fc.nat({ max: 40_000_000 }),
});
const truthMs = (speed: number, one: StepLoad) =>
  speed *
  (6 + 0.02 * one.prefillTokens + 0.01 * one.decodingSequences + 4e-5 * one.contextTokens + 1e-6 * one.attentionPairs);
const block = (number: number) => Uint8Array.from({ length: 16 }, (_, index) => number * (index + 3));
const chain = (...numbers: number[]) => PrefixHashes.of(numbers.map(block));

describe('StepTimeModel', () => {
  it('learns any speed from a hundred different steps, and follows when it changes', () =>
    fc.assert(
      fc.property(
        fc.array(anyLoad, { minLength: 100, maxLength: 120 }),
        fc.double({ min: 0.2, max: 20, noNaN: true }),
        anyLoad,
        (steps, speed, asked) => {
          const model = new StepTimeModel();
          for (const step of steps) model.observe(step, truthMs(speed, step));
          expect(model.stepMs(asked) / truthMs(speed, asked)).toBeCloseTo(1, 1);
          for (let round = 0; round < 100; round++)
            for (const step of steps) model.observe(step, truthMs(2 * speed, step));
          expect(model.stepMs(asked) / truthMs(2 * speed, asked)).toBeCloseTo(1, 1);
        },
      ),
      { numRuns: 20 },
    ));

  it('takes a worker that was never observed for one like the others', () => {
    const fleet = new StepTimeModel();
    const [old, young] = [new WorkerMirror(fleet), new WorkerMirror(fleet)];
    const step = load({ prefillTokens: 1_000 });
    for (let report = 0; report < 50; report++) {
      old.report({ ...idle, finished: { load: step, durationMs: 7 } }, report);
    }
    expect(young.stepTime.stepMs(step)).toBeCloseTo(7, 1);
    young.report({ ...idle, finished: { load: step, durationMs: 90 } }, 50);
    expect(young.stepTime.stepMs(step)).toBeCloseTo(90, 0);
  });

  it('given the same step again and again, then it stays finite and right for that step', () => {
    const model = new StepTimeModel();
    const same = load({ decodingSequences: 4, contextTokens: 4_000 });
    for (let step = 0; step < 100_000; step++) model.observe(same, 12 + (step % 2) / 10);
    expect(model.stepMs(same)).toBeCloseTo(12.05, 0);
    expect(Number.isFinite(model.stepMs(load({ prefillTokens: 2_048 })))).toBe(true);
  });
});

describe('a worker that reports intervals', () => {
  const quiet = {
    stepMs: 0,
    stepsPerSecond: 0,
    prefillTokensPerSecond: 0,
    decodeTokensPerSecond: 0,
    pendingPrefillTokens: 0,
    runningSequences: 0,
    contextTokens: 0,
    kvTokens: 100_000,
    order: 'fifo',
  } as const;

  it('teaches its speed by means', () => {
    const worker = new WorkerMirror();
    for (let report = 0; report < 200; report++) {
      const [prefillTokens, sequences] = [(report * 37) % 500, report % 9];
      const stepMs = 30 + 0.5 * prefillTokens + 2 * sequences;
      const stepsPerSecond = 400 / stepMs; // it had nothing to do for the rest of the time
      const about = {
        prefillTokensPerSecond: prefillTokens * stepsPerSecond,
        decodeTokensPerSecond: sequences * stepsPerSecond,
      };
      worker.reportInterval({ ...quiet, ...about, stepMs, stepsPerSecond, runningSequences: sequences }, 500 * report);
    }
    const asked = { ...question, promptTokens: 400, stepTokenBudget: 512, nowMs: 1e9 };
    worker.reportInterval(quiet, 1e9);
    expect(forecastTtft(worker, asked).ttftMs / 230).toBeCloseTo(1, 1);
  });

  it('has computed the oldest prompts when it says that less is left, but for those that may not have arrived', () => {
    const worker = new WorkerMirror();
    sent(worker, 'a', 1_000, 100);
    sent(worker, 'b', 1_000, 250);
    worker.reportInterval({ ...quiet, pendingPrefillTokens: 0 }, 300);
    expect([...worker.pending].map((one) => one.generationId)).toEqual(['b']);
    sent(worker, 'c', 1_000, 400);
    sent(worker, 'd', 1_000, 780);
    worker.reportInterval({ ...quiet, pendingPrefillTokens: 1_600 }, 800);
    expect([...worker.pending].map((one) => [one.generationId, one.remainingTokens])).toEqual([
      ['b', 600],
      ['c', 1_000],
      ['d', 1_000],
    ]);
  });

  it('of a shortest-first worker has computed the short prompts first, but for a long one that has waited for its turn', () => {
    const worker = mirror(); // 10 ms a step, 0.02 ms a prompt token
    const report = { ...quiet, order: 'srpt', pendingPrefillTokens: 5_000 } as const;
    worker.reportInterval({ ...report, pendingPrefillTokens: 0 }, 0);
    sent(worker, 'long', 3_000, 0);
    sent(worker, 'short', 1_000, 1);
    sent(worker, 'shorter', 500, 2);
    const left = () => [...worker.pending].map((one) => [one.generationId, one.remainingTokens]);
    worker.catchUp(0, 1_000, 'srpt'); // the long one was alone then
    worker.catchUp(31, 1_000, 'srpt');
    expect(left()).toEqual([
      ['long', 2_000],
      ['short', 500],
    ]);
    worker.reportInterval({ ...report, pendingPrefillTokens: 3_000 }, 200); // it was slower
    expect(left()).toEqual([['long', 3_000]]);
    sent(worker, 'late', 1_000, 2_500);
    worker.reportInterval({ ...report, pendingPrefillTokens: 2_000 }, 3_000);
    expect(left()).toEqual([
      ['long', 1_000],
      ['late', 1_000],
    ]);
  });

  it('is taken to go on with what was sent, and what it says in the end counts', () => {
    const worker = mirror(); // 10 ms a step, 0.02 ms a prompt token
    worker.reportInterval(quiet, 0);
    sent(worker, 'a', 3_000, 0);
    sent(worker, 'b', 1_000, 0);
    const left = () => [...worker.pending].map((one) => [one.generationId, one.remainingTokens]);
    worker.catchUp(0, 2_000);
    expect(left()).toEqual([
      ['a', 1_000],
      ['b', 1_000],
    ]);
    expect(worker.restOfStepMs(20)).toBeCloseTo(30, 0);
    worker.catchUp(49, 2_000);
    expect(left()).toHaveLength(2);
    worker.catchUp(60, 2_000);
    expect([left(), worker.decodingSequences]).toEqual([[], 2]);
    worker.reportInterval({ ...quiet, pendingPrefillTokens: 1_500, runningSequences: 2 }, 200); // it was slower
    expect(left()).toEqual([
      ['a', 500],
      ['b', 1_000],
    ]);
    worker.catchUp(10_000, 2_000);
    worker.ended('b');
    worker.reportInterval({ ...quiet, pendingPrefillTokens: 0 }, 10_001);
    expect(left()).toEqual([]);
  });
});

describe('the time that prompts stay in a cache', () => {
  it('is the time in which the worker computed as much as its KV holds beside running sequences', () => {
    const worker = mirror();
    const step = (nowMs: number, contextTokens = 0) =>
      worker.report(
        { ...idle, finished: { load: load({ prefillTokens: 100 }), durationMs: 12 }, contextTokens, kvTokens: 1_000 },
        nowMs,
      );
    for (let nowMs = 0; nowMs < 500; nowMs += 100) step(nowMs);
    expect(worker.retentionMs(500)).toBeUndefined();
    for (let nowMs = 500; nowMs <= 10_000; nowMs += 100) step(nowMs);
    expect(worker.retentionMs(10_000)).toBe(1_000);
    step(10_100, 500);
    expect(worker.retentionMs(10_100)).toBe(500);
  });
});

it('a worker that does not say how much its KV holds has no such time', () => {
  const worker = mirror();
  for (let nowMs = 0; nowMs < 1_000; nowMs += 100) {
    worker.report(
      { ...idle, finished: { load: load({ prefillTokens: 100 }), durationMs: 12 }, contextTokens: 50 },
      nowMs,
    );
  }
  expect(worker.retentionMs(1_000)).toBeUndefined();
});

describe('prompts that follow one in a busy period', () => {
  const busyOrNot = (pendingTokens: number) => {
    const busy = new WorkerMirror();
    if (pendingTokens > 0) sent(busy, 'g', pendingTokens);
    return [workerView('w', { mirror: busy })];
  };

  it('are counted when the worker is through, and more are expected when more wait', () => {
    const followers = new Followers();
    expect(followers.expected(0)).toBe(1);
    for (let time = 0; time < 500; time++) {
      for (let each = 0; each < 5; each++) {
        followers.placed('w', 3); // 4, 3, 2, 1, 0 follow
        followers.observe(busyOrNot(1));
      }
      followers.observe(busyOrNot(0));
      followers.placed('w', 0);
      followers.observe(busyOrNot(0)); // nobody follows
    }
    expect(followers.expected(3)).toBeCloseTo(2, 1);
    expect(followers.expected(0)).toBeCloseTo(0, 1);
    expect(followers.expected(6)).toBeCloseTo(4, 1);
  });

  it('are bounded on a worker that is never through', () => {
    const followers = new Followers();
    for (let each = 0; each < 5_000; each++) followers.placed('w', each);
    expect(followers.expected(1e9)).toBe(64);
  });
});

describe('the work that others bear', () => {
  it('is all of it up to the mean, and less and less of more', () => {
    const work = new MeanWork();
    expect(work.bearable(500)).toBe(500);
    for (let each = 0; each < 100; each++) work.note(100);
    expect(work.bearable(60)).toBe(60);
    expect(work.bearable(100 * Math.E)).toBeCloseTo(200, 6);
  });
});

describe('the prefix that a worker is expected to have', () => {
  it('is what it holds or is about to compute, and never the whole prompt', () => {
    const prefixes = emptyIndex();
    const prompt = chain(1, 2, 3, 4);
    for (const one of prompt.slice(0, 2).toArray()) prefixes.stored('w', one);
    const busy = new WorkerMirror();
    const worker = workerView('w', { mirror: busy, model: servedModel({ blockTokens: 16 }) });
    const asked = request({ promptTokens: 64, prefixHashes: prompt });
    const expected = () => new ExpectedPrefix(asked, [worker], prefixes).of(worker);
    expect(expected()).toEqual({ blocks: 2, tokens: 32 });
    const prefixHashes = chain(1, 2, 3, 9);
    busy.sent({ generationId: 'g', promptTokens: 64, prefixHashes, sentAtMs: 0, remainingTokens: 64 });
    expect(expected()).toEqual({ blocks: 3, tokens: 48 });
    for (const one of prompt.toArray()) prefixes.stored('w', one);
    expect(expected()).toEqual({ blocks: 4, tokens: 63 });
  });
});
