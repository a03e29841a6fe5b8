import type { DecodeRow, ModelRunnerLimits, PrefillChunk, Prompt } from '#lib/engine';

/** Whether a runner of these limits can run a pass: a RangeError says what it cannot. The kernels do not look. */
export class PassChecks {
  constructor(private readonly limits: ModelRunnerLimits) {}

  chunk({ slot, position, tokenIds, logitsFor }: PrefillChunk): void {
    const { allLogitsTokens } = this.limits;
    const chunkTokens = (logitsFor === 'all' ? allLogitsTokens : undefined) ?? this.limits.chunkTokens;
    if (tokenIds.length < 1 || tokenIds.length > chunkTokens) {
      throw new RangeError(`A chunk has 1 to ${chunkTokens} tokens, not ${tokenIds.length}.`);
    }
    this.place(slot, position, tokenIds.length);
    for (let index = 0; index < tokenIds.length; index++) this.tokenId(tokenIds[index]!);
  }

  prompts(prompts: readonly Prompt[], rowsEach: number): void {
    const { mostPrompts, mostRows } = this.limits.promptRun ?? { mostPrompts: 0, mostRows: 0 };
    if (prompts.length < 2 || prompts.length > mostPrompts || prompts.length * rowsEach > mostRows) {
      throw new RangeError(
        `A run has 2 to ${mostPrompts} prompts in ${mostRows} rows, not ${prompts.length} of ${rowsEach}.`,
      );
    }
    for (const [index, { slot, tokenIds }] of prompts.entries()) {
      if (slot !== prompts[0]!.slot + index)
        throw new RangeError('Prompts of a run have neighbouring slots, in order.');
      if (tokenIds.length < 1) throw new RangeError('A prompt has a token at least.');
      this.place(slot, 0, rowsEach);
      for (let at = 0; at < tokenIds.length; at++) this.tokenId(tokenIds[at]!);
    }
  }

  rows(rows: readonly DecodeRow[]): void {
    const { decodeRows } = this.limits;
    if (rows.length < 1 || rows.length > decodeRows) {
      throw new RangeError(`A decode has 1 to ${decodeRows} rows, not ${rows.length}.`);
    }
    if (new Set(rows.map((row) => row.slot)).size < rows.length) {
      throw new RangeError('Two rows of a decode have the same slot.');
    }
    for (const row of rows) {
      this.place(row.slot, row.position, 1);
      this.tokenId(row.tokenId);
    }
  }

  /** What lies outside would be read and written outside of the slot: the kernels do not look. */
  place(slot: number, position: number, length: number): void {
    const { slots, contextTokens } = this.limits;
    if (!Number.isInteger(slot) || slot < 0 || slot >= slots) {
      throw new RangeError(`Slot ${slot} is not one of 0 to ${slots - 1}.`);
    }
    if (!Number.isInteger(position) || position < 0 || position + length > contextTokens) {
      throw new RangeError(
        `Positions ${position} to ${position + length - 1} are not in a context of ${contextTokens}.`,
      );
    }
  }

  private tokenId(tokenId: number): void {
    const { vocabularySize } = this.limits;
    if (!Number.isInteger(tokenId) || tokenId < 0 || tokenId >= vocabularySize) {
      throw new RangeError(`Token ${tokenId} is not in a vocabulary of ${vocabularySize}.`);
    }
  }
}
