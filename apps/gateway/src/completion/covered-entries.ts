import { FinishReason, type FrameEntry } from '#lib/contracts';

export function tokensOf(entries: readonly FrameEntry[]): number {
  return entries.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
}

/**
 * What `tokens` cover of entries that came together, choice by choice in turn, so that they end alike. Several entries of a choice follow each other: of
 * one that is not whole nothing comes behind. An entry that does not say where its text may be cut (`text_ends`) is covered as a whole or not at all.
 * @returns entries of `tokens` tokens together at most, in the same order, without those of which nothing is covered
 */
export function coveredEntries(entries: readonly FrameEntry[], tokens: number): FrameEntry[] {
  const counts = entries.map(() => 0);
  let left = tokens;
  let hasMoved = true;
  while (left > 0 && hasMoved) {
    hasMoved = false;
    const done = new Set<number>(); // choices that had their turn, or have none
    for (const [index, { sequenceIndex, tokenIds, textEnds }] of entries.entries()) {
      const taken = counts[index]!; // one per entry
      if (taken === tokenIds.length || done.has(sequenceIndex)) continue;
      done.add(sequenceIndex);
      const more = textEnds.length > 0 ? 1 : tokenIds.length;
      if (more > left) continue;
      counts[index] = taken + more;
      left -= more;
      hasMoved = true;
    }
  }
  const cut = new Set<number>();
  return entries.flatMap((entry, index) => {
    const { sequenceIndex, tokenIds } = entry;
    if (cut.has(sequenceIndex)) return [];
    const count = counts[index]!; // one per entry
    if (count < tokenIds.length) cut.add(sequenceIndex);
    return beginningOf(entry, count);
  });
}

function beginningOf(entry: FrameEntry, tokens: number): FrameEntry[] {
  const { tokenIds, text, textEnds, logprobs } = entry;
  if (tokens === tokenIds.length) return [entry];
  if (tokens === 0) return [];
  return [
    {
      ...entry,
      ...{ tokenIds: tokenIds.slice(0, tokens), logprobs: logprobs.slice(0, tokens) },
      ...{ text: text.slice(0, textEnds[tokens - 1]), textEnds: textEnds.slice(0, tokens) },
      ...{ finishReason: FinishReason.UNSPECIFIED, stopMatch: '' },
    },
  ];
}
