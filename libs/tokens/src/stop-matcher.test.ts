import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopMatcher } from './stop-matcher.js';
import { InvalidStopStringsError, StopStrings } from './stop-strings.js';

interface Outcome {
  readonly text: string;
  readonly stop: string | undefined;
}

/** The contract word for word: look at every end of the text, in order, for the longest stop string there. */
function oracle(text: string, stops: readonly string[], includeStop: boolean): Outcome {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    if (ending.length > 0) {
      const stop = ending.reduce((longest, other) => (other.length > longest.length ? other : longest));
      return { text: text.slice(0, includeStop ? end : end - stop.length), stop };
    }
  }
  return { text, stop: undefined };
}

function run(pieces: readonly string[], stops: readonly string[], includeStop: boolean): Outcome {
  const matcher = new StopMatcher(new StopStrings(stops), includeStop);
  let text = '';
  let stop: string | undefined;
  for (const piece of pieces) {
    const delivered = matcher.push(piece);
    text += delivered.text;
    stop ??= delivered.match?.stop;
  }
  return { text: text + matcher.end(), stop };
}

function cut(text: string, places: readonly number[]): string[] {
  const sorted = [0, ...places.map((place) => place % (text.length + 1)), text.length].sort((a, b) => a - b);
  return sorted.slice(1).map((to, i) => text.slice(sorted[i], to));
}

// Few letters, so that stop strings overlap each other and themselves.
const letters = fc.constantFrom('a', 'b', '\n', '🎉', '🎊', 'é');
const stopString = fc.string({ unit: letters, minLength: 1, maxLength: 5 });
const scenario = fc.record({
  text: fc.string({ unit: letters, maxLength: 40 }),
  stops: fc.array(stopString, { maxLength: 16 }),
  places: fc.array(fc.nat(), { maxLength: 12 }),
  includeStop: fc.boolean(),
});

describe('StopMatcher', () => {
  it('given any text in any pieces, when pushed, then the outcome is that of the whole text', () =>
    fc.assert(
      fc.property(scenario, ({ text, stops, places, includeStop }) => {
        expect(run(cut(text, places), stops, includeStop)).toEqual(oracle(text, stops, includeStop));
      }),
      { numRuns: 2_000 },
    ));

  it('given any pieces, when text is delivered, then what is held back begins a stop string and is as short as can be', () =>
    fc.assert(
      fc.property(scenario, ({ text, stops, places }) => {
        const matcher = new StopMatcher(new StopStrings(stops));
        let pushed = '';
        let delivered = '';
        for (const piece of cut(text, places)) {
          const { text: safe, match } = matcher.push(piece);
          pushed += piece;
          delivered += safe;
          if (match !== undefined) return;
          const held = Array.from({ length: pushed.length }, (_, start) => pushed.slice(start)).find((end) =>
            stops.some((stop) => stop.startsWith(end)),
          );
          expect(delivered + (held ?? '')).toBe(pushed);
        }
      }),
      { numRuns: 1_000 },
    ));

  it('given well-formed pieces, when text is delivered, then no character is ever halved', () =>
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: letters, maxLength: 3 })),
        fc.array(stopString, { maxLength: 4 }),
        (pieces, stops) => {
          const matcher = new StopMatcher(new StopStrings(stops));
          for (const piece of pieces) expect(matcher.push(piece).text.isWellFormed()).toBe(true);
          expect(matcher.end().isWellFormed()).toBe(true);
        },
      ),
    ));

  it('given a stop string over three pieces, when pushed, then no part of it is delivered', () => {
    const matcher = new StopMatcher(new StopStrings(['###']));
    expect(matcher.push('done #')).toEqual({ text: 'done ' });
    expect(matcher.push('#')).toEqual({ text: '' });
    expect(matcher.push('# more')).toEqual({ text: '', match: { stop: '###' } });
    expect(matcher.push('dropped')).toEqual({ text: '' });
    expect(matcher.end()).toBe('');
  });

  it('given a false start, when it breaks off, then it is delivered', () => {
    const matcher = new StopMatcher(new StopStrings(['aab']));
    expect(matcher.push('aa').text).toBe('');
    expect(matcher.push('a').text).toBe('a');
    expect(matcher.push('c').text).toBe('aac');
  });

  it('given stop strings one in another, then the first complete one counts, and of these the longest', () => {
    expect(run(['xabcd'], ['abcd', 'bc'], false)).toEqual({ text: 'xa', stop: 'bc' });
    expect(run(['xabc'], ['c', 'abc', 'bc'], false)).toEqual({ text: 'x', stop: 'abc' });
  });

  it('given 64 long stop strings and a text made to hold them back, when pushed, then the work stays linear', () => {
    const stops = Array.from({ length: 64 }, (_, i) => `${'a'.repeat(1000)}${String.fromCharCode(98 + i)}`);
    const matcher = new StopMatcher(new StopStrings(stops));
    let delivered = 0;
    for (let i = 0; i < 20_000; i++) delivered += matcher.push('a').text.length;
    expect(delivered).toBe(19_000);
    expect(matcher.push('b').match?.stop).toBe(stops[0]);
  });
});

describe('StopStrings', () => {
  it.each([
    [[''], 'Stop string 0 is empty.'],
    [['a', '\ud83c'], 'Stop string 1 has half of a surrogate pair.'],
    [['x'.repeat(1025)], 'Stop string 0 has 1025 characters; at most 1024 are accepted.'],
    [Array.from({ length: 65 }, String), 'There are 65 stop strings; at most 64 are accepted.'],
  ])('given unusable strings, when compiled, then the error says why', (strings, message) => {
    expect(() => new StopStrings(strings)).toThrow(InvalidStopStringsError);
    expect(() => new StopStrings(strings)).toThrow(message);
  });

  it('given its own limits, then they count', () => {
    expect(() => new StopStrings(['a', 'b'], { maxStrings: 1 })).toThrow('at most 1');
    expect(() => new StopStrings(['abc'], { maxCharacters: 2 })).toThrow('at most 2');
  });
});
