/** Prompts of a length of answers before anything is said of it. Chosen: a worker has few of each; chance alone leaves eight out once in sixty times where four in ten come back. */
const LEAST_PROMPTS = 8;

/** A length is taken for seldom continued when another one is more than this many times as often. Chosen: no doubt is left. */
const MORE_OFTEN = 4;

/** Of prompts with such answers one in so many is treated as others are: only those are counted, so that it is seen when that changes. */
const STILL_TRIED = 8;

/** Classes of lengths: the first of one token, each next one of twice as many; the last of all that is longer. */
const LENGTHS = 14;

/** Prompts that are watched at once. Chosen: with the longest caches more than come between two uses; 300 kB at most. */
const MOST_WATCHED = 4_096;

interface Tally {
  prompts: number;
  cameBack: number;
  /** Prompts that were not counted since the last one that was. */
  untried: number;
}

/**
 * Whether prompts come back, by how long their answers were: who asks for a word of a long document asks again, who has had it
 * summed up does not. Where it makes no difference, nothing follows. A prompt has come back when the first of its new blocks is used again.
 */
export class AnswerLengths<Key> {
  private readonly tallies: readonly Tally[] = Array.from({ length: LENGTHS }, () => ({
    prompts: 0,
    cameBack: 0,
    untried: 0,
  }));
  /** By the first new block of a prompt. */
  private readonly watched = new Map<Key, Tally>();

  /**
   * A prompt has had its answer.
   * @param first  of its blocks that nobody used before
   * @returns whether its new blocks are seldom used again
   */
  ended(first: Key, answerTokens: number): boolean {
    const tally = this.tallies[Math.min(LENGTHS - 1, Math.floor(Math.log2(Math.max(1, answerTokens))))]!;
    if (this.isSeldomContinued(tally) && ++tally.untried < STILL_TRIED) return true;
    tally.untried = 0;
    tally.prompts++;
    this.watched.set(first, tally);
    if (this.watched.size > MOST_WATCHED) this.watched.delete(this.watched.keys().next().value!); // there are some
    return false;
  }

  /** The block is used, a first time or again. */
  used(block: Key): void {
    const tally = this.watched.get(block);
    if (tally === undefined) return;
    tally.cameBack++;
    this.watched.delete(block);
  }

  /** What was seen so far counts half of what comes. */
  halve(): void {
    for (const tally of this.tallies) {
      tally.prompts /= 2;
      tally.cameBack /= 2;
    }
  }

  private isSeldomContinued(tally: Tally): boolean {
    if (tally.prompts < LEAST_PROMPTS) return false;
    const known = this.tallies.filter(({ prompts }) => prompts >= LEAST_PROMPTS);
    const best = known.reduce((most, { prompts, cameBack }) => Math.max(most, cameBack / prompts), 0);
    return (MORE_OFTEN * tally.cameBack) / tally.prompts < best;
  }
}
