import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FinishReason, FrameEntry } from '#lib/contracts';
import { coveredEntries, tokensOf } from './covered-entries.js';

const wholes = fc.array(
  fc.record({ lengths: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 6 }), isDivisible: fc.boolean() }),
  { maxLength: 5 },
);

/** An entry whose i-th token brings `lengths[i]` characters. */
function entryOf(lengths: readonly number[], isDivisible: boolean, sequenceIndex: number): FrameEntry {
  const texts = lengths.map((length, index) => String(index).repeat(length));
  return FrameEntry.fromPartial({
    ...{ generationId: 'g', sequenceIndex, tokenIds: lengths.map((_, index) => index), text: texts.join('') },
    ...{ finishReason: FinishReason.LENGTH, stopMatch: 'x' },
    textEnds: isDivisible ? texts.map((_, index) => texts.slice(0, index + 1).join('').length) : [],
  });
}

describe('coveredEntries', () => {
  it('given any entries and any cover, then each is a beginning of itself, and no more could be covered', () =>
    fc.assert(
      fc.property(wholes, fc.integer({ min: 0, max: 30 }), (specs, tokens) => {
        const entries = specs.map(({ lengths, isDivisible }, index) => entryOf(lengths, isDivisible, index));
        const covered = coveredEntries(entries, tokens);
        const left = tokens - tokensOf(covered);
        expect(left).toBeGreaterThanOrEqual(0);
        for (const whole of entries) {
          const part = covered.find(({ sequenceIndex }) => sequenceIndex === whole.sequenceIndex);
          const count = part?.tokenIds.length ?? 0;
          if (count === whole.tokenIds.length) {
            expect(part).toBe(whole);
            continue;
          }
          const rest = whole.textEnds.length > 0 ? 1 : whole.tokenIds.length;
          expect(left).toBeLessThan(rest);
          if (part === undefined) continue;
          expect(part).toMatchObject({ finishReason: FinishReason.UNSPECIFIED, stopMatch: '' });
          expect(part.tokenIds).toEqual(whole.tokenIds.slice(0, count));
          expect(part.text).toBe(whole.text.slice(0, whole.textEnds[count - 1]));
        }
      }),
    ));

  it('given several choices, then they are covered alike', () => {
    const entries = [0, 1, 2].map((index) => entryOf([1, 1, 1, 1], true, index));
    expect(coveredEntries(entries, 7).map(({ tokenIds }) => tokenIds.length)).toEqual([3, 2, 2]);
  });
});
