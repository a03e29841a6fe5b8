import { FinishReason, type FrameEntry, type GenerationRequest } from '#lib/contracts';
import { mergedEntry } from './merged-entry.js';

/**
 * Gathers the entries of one generation for a reader that needs no token before the end: what an entry costs both sides is then
 * paid once for many tokens. A sequence's first entry goes at once, so that the reader knows when it began.
 */
export class EntryGatherer {
  private readonly most: number;
  private readonly begun = new Set<number>();
  private readonly held = new Map<number, FrameEntry>();

  /** Half of the credit at most: the other half is for what comes while further credit is on its way. */
  constructor({ gatherTokens, initialCredit }: Pick<GenerationRequest, 'gatherTokens' | 'initialCredit'>) {
    this.most = Math.min(gatherTokens, Math.ceil(initialCredit / 2));
  }

  /** @returns what is to be sent now, with all that was held of its sequence */
  take(entry: FrameEntry): FrameEntry | undefined {
    if (this.most <= 1) return entry;
    const { sequenceIndex, finishReason } = entry;
    const held = this.held.get(sequenceIndex);
    const gathered = held === undefined ? entry : mergedEntry(held, entry);
    const isDue = finishReason !== FinishReason.UNSPECIFIED || gathered.tokenIds.length >= this.most;
    if (isDue || !this.begun.has(sequenceIndex)) {
      this.begun.add(sequenceIndex);
      this.held.delete(sequenceIndex);
      return gathered;
    }
    this.held.set(sequenceIndex, gathered);
    return undefined;
  }
}
