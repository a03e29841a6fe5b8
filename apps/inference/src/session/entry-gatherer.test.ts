import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FinishReason, FrameEntry } from '#lib/contracts';
import { EntryGatherer } from './entry-gatherer.js';

/** The entries of one sequence, a token each, the last with a finish reason. */
function sequence(sequenceIndex: number, tokens: number): FrameEntry[] {
  return Array.from({ length: tokens }, (_, index) =>
    FrameEntry.fromPartial({
      ...{ generationId: 'g', sequenceIndex, tokenIds: [index], text: `${index} ` },
      finishReason: index === tokens - 1 ? FinishReason.LENGTH : FinishReason.UNSPECIFIED,
    }),
  );
}

/** The text of each token, cut where the entry says. */
function stepTexts({ text, textEnds }: FrameEntry): string[] {
  if (textEnds.length === 0) return [text];
  return textEnds.map((end, index) => text.slice(textEnds[index - 1] ?? 0, end));
}

describe('EntryGatherer', () => {
  it('given any sequences and bounds, then nothing is lost or reordered, firsts come at once, and pieces keep to half the credit', () =>
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        (lengths, gatherTokens, initialCredit) => {
          const gatherer = new EntryGatherer({ gatherTokens, initialCredit });
          const sequences = lengths.map((tokens, index) => sequence(index, tokens));
          const sent: FrameEntry[] = [];
          for (let step = 0; step < 40; step++) {
            for (const entries of sequences) {
              const entry = entries[step];
              const due = entry === undefined ? undefined : gatherer.take(entry);
              if (due !== undefined) sent.push(due);
              if (step === 0) expect(due).toEqual(entry);
            }
          }
          const most = Math.max(1, Math.min(gatherTokens, Math.ceil(initialCredit / 2)));
          for (const { tokenIds } of sent) expect(tokenIds.length).toBeLessThanOrEqual(most);
          for (const [index, entries] of sequences.entries()) {
            const own = sent.filter(({ sequenceIndex }) => sequenceIndex === index);
            expect(own.flatMap(({ tokenIds }) => tokenIds)).toEqual(entries.flatMap(({ tokenIds }) => tokenIds));
            expect(own.map(({ text }) => text).join('')).toBe(entries.map(({ text }) => text).join(''));
            expect(own.flatMap(stepTexts)).toEqual(entries.map(({ text }) => text));
            expect(own.at(-1)?.finishReason).toBe(FinishReason.LENGTH);
          }
        },
      ),
    ));

  it('given 50 tokens and pieces of 64, then they are two entries', () => {
    const gatherer = new EntryGatherer({ gatherTokens: 64, initialCredit: 256 });
    const sent = sequence(0, 50).flatMap((entry) => gatherer.take(entry) ?? []);
    expect(sent.map(({ tokenIds }) => tokenIds.length)).toEqual([1, 49]);
  });

  it('given steps of several tokens and of none, then the text of a step is certain with its last token', () => {
    const gatherer = new EntryGatherer({ gatherTokens: 64, initialCredit: 256 });
    const step = (tokenIds: number[], text: string, finishReason = FinishReason.UNSPECIFIED) =>
      gatherer.take(FrameEntry.fromPartial({ generationId: 'g', tokenIds, text, finishReason }));
    step([1], 'a');
    step([2, 3, 4], 'bcd');
    step([5], '');
    const last = step([], 'e', FinishReason.STOP);
    expect(last).toMatchObject({ tokenIds: [2, 3, 4, 5], text: 'bcde', textEnds: [0, 0, 3, 3] });
  });
});
