import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FinishReason, FrameEntry } from '#lib/contracts';
import { coveredEntries, tokensOf } from './covered-entries.js';

const wholes = fc.array(
  fc.record({
    lengths: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 6 }),
    isDivisible: fc.boolean(),
    sequenceIndex: fc.nat({ max: 2 }),
  }),
  { maxLength: 6 },
);

/** An entry whose i-th token, `firstToken + i`, brings `lengths[i]` characters. */
function entryOf(lengths: readonly number[], isDivisible: boolean, sequenceIndex: number, firstToken = 0): FrameEntry {
  const tokenIds = lengths.map((_, index) => firstToken + index);
  const texts = lengths.map((length, index) => `<${tokenIds[index]}>`.repeat(length));
  return FrameEntry.fromPartial({
    ...{ generationId: 'g', sequenceIndex, tokenIds, text: texts.join('') },
    ...{ finishReason: FinishReason.LENGTH, stopMatch: 'x' },
    textEnds: isDivisible ? texts.map((_, index) => texts.slice(0, index + 1).join('').length) : [],
  });
}

describe('coveredEntries', () => {
  it('given any entries and any cover, then what each choice has is a beginning of it, and no more could be covered', () =>
    fc.assert(
      fc.property(wholes, fc.integer({ min: 0, max: 30 }), (specs, tokens) => {
        const entries = specs.map(({ lengths, isDivisible, sequenceIndex }, index) =>
          entryOf(lengths, isDivisible, sequenceIndex, 10 * index),
        );
        const covered = coveredEntries(entries, tokens);
        const left = tokens - tokensOf(covered);
        expect(left).toBeGreaterThanOrEqual(0);
        for (const sequenceIndex of [0, 1, 2]) {
          const isOfChoice = (entry: FrameEntry) => entry.sequenceIndex === sequenceIndex;
          const parts = covered.filter(isOfChoice);
          const own = entries.filter(isOfChoice);
          const wholeOnes = own.findIndex((entry, index) => parts[index] !== entry);
          if (wholeOnes === -1) {
            expect(parts).toHaveLength(own.length);
            continue;
          }
          const cut = own[wholeOnes]!; // the first that is not whole
          expect(left).toBeLessThan(cut.textEnds.length > 0 ? 1 : cut.tokenIds.length);
          const part = parts[wholeOnes];
          expect(parts).toHaveLength(part === undefined ? wholeOnes : wholeOnes + 1); // nothing behind it
          if (part === undefined) continue;
          const { length: count } = part.tokenIds;
          expect(part).toMatchObject({ finishReason: FinishReason.UNSPECIFIED, stopMatch: '' });
          expect(part.tokenIds).toEqual(cut.tokenIds.slice(0, count));
          expect(part.text).toBe(cut.text.slice(0, cut.textEnds[count - 1]));
        }
      }),
    ));

  it('given several choices, then they are covered alike', () => {
    const entries = [0, 1, 2].map((index) => entryOf([1, 1, 1, 1], true, index));
    expect(coveredEntries(entries, 7).map(({ tokenIds }) => tokenIds.length)).toEqual([3, 2, 2]);
  });

  it('given one choice that came in two pieces, then nothing stands behind a cut, not even an end without tokens', () => {
    const piece = entryOf([1, 1, 1, 1], true, 0);
    const end = { ...entryOf([], false, 0), finishReason: FinishReason.STOP };
    expect(coveredEntries([piece, entryOf([1, 1], true, 0, 4)], 3).map(({ tokenIds }) => tokenIds)).toEqual([
      [0, 1, 2],
    ]);
    expect(coveredEntries([piece, end], 3)).toHaveLength(1);
    expect(coveredEntries([piece, end], 4)).toEqual([piece, end]);
  });
});
