import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scaleTrace } from './scale-trace.js';
import { InvalidTraceError, parseTrace, type TraceRequest } from './trace.js';

const line = (timestamp: unknown, input_length: unknown, hash_ids: unknown, output_length: unknown = 3) =>
  JSON.stringify({ timestamp, input_length, output_length, hash_ids });

describe('reading a trace', () => {
  it('reads JSON lines with the blocks they name', () => {
    expect(parseTrace(`${line(0, 600, [7, 8])}\n${line(1_500, 5, [7])}\n`, 'mooncake', 512)).toEqual([
      { timeS: 0, promptTokens: 600, outputTokens: 3, blockIds: [7, 8] },
      { timeS: 1.5, promptTokens: 5, outputTokens: 3, blockIds: [7] },
    ]);
  });

  it('reads CSV, with blocks that nobody shares', () => {
    const requests = parseTrace('timestamp_ms,input_length,output_length\n0,600,3\n1.5,5,0\r\n', 'csv', 512);
    expect(requests).toEqual([
      { timeS: 0, promptTokens: 600, outputTokens: 3, blockIds: [0, 1] },
      { timeS: 0.0015, promptTokens: 5, outputTokens: 1, blockIds: [2] },
    ]);
  });

  it.each([
    ['no request', ''],
    ['no JSON', '{'],
    ['no JSON object', 'null'],
    ['a prompt without tokens', line(0, 0, [])],
    ['too few blocks', line(0, 600, [1])],
    ['a block that is no number', line(0, 5, ['a'])],
    ['a time that is no number', line('soon', 5, [1])],
    ['a time that leaves no microseconds', line(1e300, 5, [1])],
    ['times that go back', `${line(5, 5, [1])}\n${line(4, 5, [1])}`],
  ])('refuses %s', (_, text) => expect(() => parseTrace(text, 'mooncake', 512)).toThrow(InvalidTraceError));

  const csv = (...lines: string[]) => ['timestamp_ms,input_length,output_length', ...lines].join('\n');
  it.each([
    ['no header', '0,374,44\n10,300,4', 'line 1'],
    ['columns in another order', 'output_length,input_length,timestamp_ms\n44,374,0', 'line 1'],
    ['an empty time', csv('0,1,1', ',374,44'), 'line 3'],
    ['an empty output length', csv('0,374,'), 'line 2'],
    ['a column more', csv('0,374,44,99'), 'line 2'],
    ['a column less', csv('0,374'), 'line 2'],
    ['a hexadecimal number', csv('0,0x10,44'), 'line 2'],
    ['an exponent', csv('1e3,374,44'), 'line 2'],
    ['half a token', csv('0,3.5,44'), 'line 2'],
    ['a prompt without tokens', csv('0,0,44'), 'line 2'],
    ['a prompt that no memory holds', csv('0,9000000000000000,44'), 'line 2 of the trace: expected prompts of at most'],
  ])('refuses CSV with %s', (_, text, where) => {
    expect(() => parseTrace(text, 'csv', 512)).toThrow(InvalidTraceError);
    expect(() => parseTrace(text, 'csv', 512)).toThrow(where);
  });

  it('takes a byte order mark before either format', () => {
    expect(parseTrace(`\ufeff${csv('0,5,1')}`, 'csv', 512)).toHaveLength(1);
    expect(parseTrace(`\ufeff${line(0, 5, [1])}`, 'mooncake', 512)).toHaveLength(1);
  });

  it('names the line it cannot read', () => {
    expect(() => parseTrace(`${line(0, 5, [1])}\n${line(1, -5, [1])}`, 'mooncake', 512)).toThrow('line 2');
  });
});

const requests = fc
  .array(
    fc.record({
      gapS: fc.double({ min: 0, max: 9, noNaN: true }),
      blockIds: fc.array(fc.nat(9), { minLength: 1, maxLength: 4 }),
    }),
    { minLength: 2, maxLength: 20 },
  )
  .map((all) => {
    let timeS = 0;
    return all.map(({ gapS, blockIds }): TraceRequest => {
      timeS += gapS;
      return { timeS, promptTokens: 512 * blockIds.length, outputTokens: 1, blockIds };
    });
  });

describe('scaling a trace', () => {
  it('given any trace, then copies keep its requests, come in order of time and end within its length', () =>
    fc.assert(
      fc.property(
        requests,
        fc.integer({ min: 1, max: 4 }),
        fc.double({ min: 0.5, max: 8, noNaN: true }),
        (trace, copies, speedup) => {
          const scaled = scaleTrace(trace, copies, speedup);
          expect(scaled.requests).toHaveLength(copies * trace.length);
          const times = scaled.requests.map(({ timeS }) => timeS);
          expect(times).toEqual([...times].sort((a, b) => a - b));
          expect(times.at(-1)!).toBeLessThanOrEqual(scaled.durationS);
        },
      ),
    ));

  it('keeps copies apart, but for the blocks that a twentieth of the requests begin with', () => {
    const trace = Array.from({ length: 40 }, (_, index) => ({
      timeS: index,
      promptTokens: 1_024,
      outputTokens: 1,
      blockIds: [0, index + 1],
    }));
    const { requests: scaled, durationS } = scaleTrace(trace, 2, 2);
    expect(new Set(scaled.map(({ blockIds }) => blockIds[0])).size).toBe(1);
    expect(new Set(scaled.map(({ blockIds }) => blockIds[1])).size).toBe(80);
    expect(durationS).toBeCloseTo(20, 9);
    // The second copy begins half the length later and wraps round.
    expect(scaled.filter(({ timeS }) => timeS < 1).map(({ timeS }) => timeS)).toEqual([0, 0, 0.5, 0.5]);
  });

  it('shares what a twentieth of the requests have, also where that is one of them', () => {
    const few = Array.from({ length: 20 }, (_, index) => ({
      ...{ timeS: index, promptTokens: 512, outputTokens: 1, blockIds: [index] },
    }));
    const idCount = (trace: readonly TraceRequest[]) =>
      new Set(scaleTrace(trace, 2, 1).requests.flatMap(({ blockIds }) => blockIds)).size;
    expect(idCount(few)).toBe(20);
    expect(idCount([...few, { ...few[0]!, timeS: 20, blockIds: [20] }])).toBe(42);
  });

  it('given ids near the end of the whole numbers, then copies are kept apart all the same', () => {
    const high = Array.from({ length: 40 }, (_, index) => ({
      ...{ timeS: index, promptTokens: 512, outputTokens: 1, blockIds: [Number.MAX_SAFE_INTEGER - index] },
    }));
    const ids = scaleTrace(high, 3, 1).requests.flatMap(({ blockIds }) => blockIds);
    expect(new Set(ids).size).toBe(120);
    expect(ids.every(Number.isSafeInteger)).toBe(true);
  });
});
