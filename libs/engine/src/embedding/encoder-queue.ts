/** One input that waits, and whom it belongs to. */
export interface WaitingInput<Owner> {
  readonly owner: Owner;
  /** Its place among the owner's inputs. */
  readonly index: number;
  readonly tokenIds: readonly number[];
}

/**
 * Inputs in the order of arrival, taken out as batches. The oldest is in every batch; then those that follow while the
 * batch, filled up to its longest input, stays within the budget. Within one request they come sorted by length, so that
 * little is filled up.
 */
export class EncoderQueue<Owner> {
  private waiting: WaitingInput<Owner>[] = [];

  get inputs(): readonly WaitingInput<Owner>[] {
    return this.waiting;
  }

  add(owner: Owner, inputs: readonly (readonly number[])[]): void {
    const added = inputs.map((tokenIds, index) => ({ owner, index, tokenIds }));
    this.waiting = this.waiting.concat(added.sort((a, b) => a.tokenIds.length - b.tokenIds.length));
  }

  remove(owner: Owner): void {
    this.waiting = this.waiting.filter((input) => input.owner !== owner);
  }

  /** @returns the next batch, empty when nothing waits */
  take(batchTokens: number): WaitingInput<Owner>[] {
    let longest = 0;
    let rows = 0;
    for (const { tokenIds } of this.waiting) {
      longest = Math.max(longest, tokenIds.length);
      if (rows > 0 && (rows + 1) * longest > batchTokens) break;
      rows++;
    }
    return this.waiting.splice(0, rows);
  }
}
