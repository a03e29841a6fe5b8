import { FinishReason, type FrameEntry } from '#lib/contracts';

export function tokensOf(entries: readonly FrameEntry[]): number {
  return entries.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
}

/**
 * What `tokens` cover of entries that came together, in turn, so that choices end alike. An entry that does not say where its text may be
 * cut (`text_ends`) is covered as a whole or not at all.
 * @returns entries of `tokens` tokens together at most, in the same order, without those of which nothing is covered
 */
export function coveredEntries(entries: readonly FrameEntry[], tokens: number): FrameEntry[] {
  const counts = entries.map(() => 0);
  let left = tokens;
  let hasMoved = true;
  while (left > 0 && hasMoved) {
    hasMoved = false;
    for (const [index, { tokenIds, textEnds }] of entries.entries()) {
      const taken = counts[index]!; // one per entry
      const more = textEnds.length > 0 ? 1 : tokenIds.length;
      if (taken + more > tokenIds.length || more === 0 || more > left) continue;
      counts[index] = taken + more;
      left -= more;
      hasMoved = true;
    }
  }
  return entries.flatMap((entry, index) => beginningOf(entry, counts[index]!)); // one per entry
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
