import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SequenceText, type SequenceTextOptions } from './sequence-text.js';
import { StopMatcher } from './stop-matcher.js';
import { StopStrings } from './stop-strings.js';
import { syntheticTextFiles } from './synthetic-tokenizer.js';
import { TokenTable } from './token-table.js';

const table = TokenTable.fromFiles(syntheticTextFiles());
const idsOf = (text: string) => new TextEncoder().encode(text);
const stops = (...strings: string[]) => new StopStrings(strings);

function run(steps: readonly ArrayLike<number>[], options: SequenceTextOptions) {
  const sequence = new SequenceText(table, options);
  const pieces = steps.map((step) => sequence.push(step));
  const all = [...pieces, sequence.finish()];
  return {
    text: all.map((piece) => piece.text).join(''),
    stop: all.find((piece) => piece.stopMatch)?.stopMatch?.stop,
    tokenCount: sequence.tokenCount,
  };
}

describe('SequenceText', () => {
  it('given any text, steps and stop strings, when pushed, then it is what the whole text gives', () => {
    const letters = fc.constantFrom('a', 'b', '🎉', 'é');
    return fc.assert(
      fc.property(
        fc.string({ unit: letters, maxLength: 20 }),
        fc.array(fc.string({ unit: letters, minLength: 1, maxLength: 3 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat({ max: 10 }),
        (text, strings, stepTokens, minTokens) => {
          const ids = idsOf(text);
          const steps = Array.from({ length: Math.ceil(ids.length / stepTokens) }, (_, i) =>
            ids.subarray(i * stepTokens, (i + 1) * stepTokens),
          );
          // What is complete within the first minTokens bytes is out of reach of the stop strings.
          const exempt = new TextDecoder('utf-8').decode(ids.subarray(0, minTokens), { stream: true });
          const matcher = new StopMatcher(stops(...strings));
          const whole = matcher.push(text.slice(exempt.length));
          const expected = exempt + whole.text + matcher.end();
          const outcome = run(steps, { stops: stops(...strings), minTokens });
          expect(outcome.text).toBe(expected);
          expect(outcome.stop).toBe(whole.match?.stop);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('given a stop string in the middle of a step, when pushed, then the tokens after it are not taken', () => {
    expect(run([idsOf('ab'), idsOf('cdef')], { stops: stops('bc') })).toEqual({ text: 'a', stop: 'bc', tokenCount: 3 });
  });

  it('given includeStop, when it matches, then the text ends with it', () => {
    expect(run([idsOf('abcd')], { stops: stops('bc'), includeStop: true }).text).toBe('abc');
  });

  it('given minTokens, when a stop string lies before or across it, then the text goes on', () => {
    const options = { stops: stops('ab'), minTokens: 3 };
    expect(run([idsOf('abab')], options)).toEqual({ text: 'abab', stop: undefined, tokenCount: 4 });
    expect(run([idsOf('ababab')], options)).toEqual({ text: 'abab', stop: 'ab', tokenCount: 6 });
  });

  it('given an end token, when pushed, then it adds nothing, or its text when special tokens are shown', () => {
    expect(run([[...idsOf('a'), 257]], {}).text).toBe('a');
    expect(run([[...idsOf('a'), 257]], { skipSpecialTokens: false }).text).toBe('a<|eos|>');
  });

  it('given a stop string begun but not finished, when the sequence ends, then it is delivered once', () => {
    const sequence = new SequenceText(table, { stops: stops('xyz') });
    expect(sequence.push(idsOf('axy'))).toEqual({ text: 'a' });
    expect(sequence.finish()).toEqual({ text: 'xy' });
    expect(sequence.finish()).toEqual({ text: '' });
    expect(sequence.push(idsOf('z'))).toEqual({ text: '' });
  });

  it('given a broken character at the end, when a stop string asks for it, then it matches at the end', () => {
    const sequence = new SequenceText(table, { stops: stops('a\ufffd') });
    expect(sequence.push([...idsOf('xa'), 0xe2])).toEqual({ text: 'x' });
    expect(sequence.finish()).toEqual({ text: '', stopMatch: { stop: 'a\ufffd' } });
  });

  it('given a broken character within minTokens, when a stop string asks for it, then it is text', () => {
    const sequence = new SequenceText(table, { stops: stops('\ufffd'), minTokens: 2 });
    expect(sequence.push([...idsOf('a'), 0xe2])).toEqual({ text: 'a' });
    expect(sequence.finish()).toEqual({ text: '\ufffd' });
  });
});
