/** Ends and others that were kept before anything is said of them. Chosen: a few dozen prompts, so that one does not decide. */
const LEAST_KEPT = 64;

/** Ends come back seldom when others do more than this many times as often. Chosen: no doubt is left, and others are worth the room. */
const MORE_OFTEN = 4;

/** How many blocks of one kind were kept, and how many of them were used a second time. */
interface Tally {
  kept: number;
  cameBack: number;
}

/**
 * Whether the last block of a prompt comes back as the others do. Where it is not full, or holds what the next prompt replaces, it
 * does not, whatever becomes of the blocks before it; where a conversation simply goes on, it does. Counted among blocks that were used once.
 */
export class PromptEnds {
  private readonly ends: Tally = { kept: 0, cameBack: 0 };
  private readonly others: Tally = { kept: 0, cameBack: 0 };

  kept(isEnd: boolean): void {
    this.tallyOf(isEnd).kept++;
  }

  /** What was kept as an end was not one: its prompt went on. */
  wentOn(): void {
    this.ends.kept--;
    this.others.kept++;
  }

  cameBack(wasEnd: boolean): void {
    this.tallyOf(wasEnd).cameBack++;
  }

  get areSeldomUsed(): boolean {
    const { ends, others } = this;
    if (ends.kept < LEAST_KEPT || others.kept < LEAST_KEPT) return false;
    return (MORE_OFTEN * ends.cameBack) / ends.kept < others.cameBack / others.kept;
  }

  /** What was seen so far counts half of what comes. */
  halve(): void {
    for (const tally of [this.ends, this.others]) {
      tally.kept /= 2;
      tally.cameBack /= 2;
    }
  }

  private tallyOf(isEnd: boolean): Tally {
    return isEnd ? this.ends : this.others;
  }
}
