import { setImmediate as turn } from 'node:timers/promises';
import type { AsciiEncoder } from './ascii-encoder.js';

/**
 * Some 16,000 tokens. Chosen: cutting so many characters into pieces, which is done at once, takes 2 ms
 * (docs/decisions/2026-11-30-long-texts-in-turns.md).
 */
const LONGEST_TEXT_CHARACTERS = 65_536;
/** Of all texts together that are encoded or wait. Chosen: two of the longest, 5 to 20 ms of the thread. */
const MAX_CHARACTERS = 2 * LONGEST_TEXT_CHARACTERS;

/**
 * The long texts of one tokenizer, in turns and one after the other: a turn of the event loop has one piece of them. Bounded:
 * 131,072 characters are encoded or wait at most, what is beyond is refused at once and left to the other way.
 */
export class LongTextQueue {
  private characters = 0;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly encoder: AsciiEncoder) {}

  /**
   * @returns ids once those before it are encoded; `undefined` at once for a text that is not ASCII, has more than 65,536
   * characters or is beyond the queue's bound; a promise of `undefined` where one of its pieces has to be encoded the other way
   * @throws the signal's reason, when it is the text's turn
   */
  encode(
    text: string,
    addSpecialTokens: boolean,
    signal?: AbortSignal,
  ): Promise<readonly number[] | undefined> | undefined {
    const { length } = text;
    if (length > LONGEST_TEXT_CHARACTERS || this.characters + length > MAX_CHARACTERS) return undefined;
    if (!this.encoder.takes(text)) return undefined;
    this.characters += length;
    const ids = this.last
      .then(() => this.encoder.encodeInTurns(text, addSpecialTokens, signal))
      .finally(() => {
        this.characters -= length;
      });
    this.last = ids.catch(() => {}).then(() => turn()); // the next one's first piece is not in the turn of this one's last
    return ids;
  }
}
