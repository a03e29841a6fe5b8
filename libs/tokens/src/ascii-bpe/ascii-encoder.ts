import { setImmediate as turn } from 'node:timers/promises';
import { isJsonObject } from '../text-files.js';
import { AddedTokens } from './added-tokens.js';
import { readAsciiPieces } from './ascii-pieces.js';
import { BytePairModel } from './byte-pair-model.js';
import { readSurroundingTokens, type SurroundingTokens } from './surrounding-tokens.js';

/** Whatever the unicode form, ASCII stays as it is. */
const LEAVES_ASCII = new Set(['NFC', 'NFD', 'NFKC', 'NFKD']);
const ASCII = /^[\0-\x7f]*$/;
/**
 * Of a long text that is cut into its pieces, in 0.1 to 0.5 ms; then others have their turn. Cutting takes 2 ms for 65,536
 * of them.
 */
const CHARACTERS_AT_ONCE = 2_048;

/**
 * Encodes ASCII texts on the thread that asks, short ones at once and long ones in turns, for tokenizers of the kind that
 * most models have: byte pairs over the byte-level alphabet. A hop to another thread and back costs more than a short text
 * (docs/decisions/2026-11-29-short-texts-at-once.md).
 */
export class AsciiEncoder {
  private constructor(
    private readonly added: AddedTokens,
    private readonly piecesOf: (text: string) => readonly string[],
    private readonly model: BytePairModel,
    private readonly surrounding: SurroundingTokens,
  ) {}

  /**
   * @param source  a tokenizer.json
   * @returns `undefined` for a tokenizer with something that is not known here
   */
  static async read(source: string): Promise<AsciiEncoder | undefined> {
    const file: unknown = JSON.parse(source);
    if (!isJsonObject(file) || !leavesAscii(file['normalizer'])) return undefined;
    const piecesOf = readAsciiPieces(file['pre_tokenizer']);
    const surrounding = readSurroundingTokens(file['post_processor']);
    if (piecesOf === undefined || surrounding === undefined) return undefined;
    const model = await BytePairModel.read(file['model']);
    return model && new AsciiEncoder(new AddedTokens(file['added_tokens']), piecesOf, model, surrounding);
  }

  /** Whether it is a text for this encoder. Only its pieces and added tokens show whether all of it can be encoded here. */
  takes(text: string): boolean {
    return ASCII.test(text);
  }

  /** @returns `undefined` for a text that has to be encoded the other way */
  encode(text: string, addSpecialTokens: boolean): number[] | undefined {
    const encoding = this.encoding(text, addSpecialTokens);
    for (;;) {
      const { done, value } = encoding.next();
      if (done) return value;
    }
  }

  /**
   * The same for a long text: others have their turn every few hundred words.
   * @throws the signal's reason, after the turn in which it was aborted
   */
  async encodeInTurns(text: string, addSpecialTokens: boolean, signal?: AbortSignal): Promise<number[] | undefined> {
    const encoding = this.encoding(text, addSpecialTokens);
    for (;;) {
      signal?.throwIfAborted();
      const { done, value } = encoding.next();
      if (done) return value;
      await turn();
    }
  }

  /** Pauses after every `CHARACTERS_AT_ONCE`. */
  private *encoding(text: string, addSpecialTokens: boolean): Generator<undefined, number[] | undefined> {
    const parts = this.takes(text) ? this.added.cut(text) : undefined;
    if (parts === undefined) return undefined;
    const ids: number[] = addSpecialTokens ? [...this.surrounding.before] : [];
    let characters = 0;
    for (const part of parts) {
      if (typeof part !== 'string') {
        ids.push(part.id);
        continue;
      }
      for (const piece of this.piecesOf(part)) {
        const pieceIds = this.model.encode(piece);
        if (pieceIds === undefined) return undefined;
        // By index: an iterator makes an object for each id until the code is compiled.
        for (let index = 0; index < pieceIds.length; index++) ids.push(pieceIds[index]!);
        characters += piece.length;
        if (characters < CHARACTERS_AT_ONCE) continue;
        characters = 0;
        yield;
      }
    }
    if (addSpecialTokens) ids.push(...this.surrounding.behind);
    return ids;
  }
}

function leavesAscii(normalizer: unknown): boolean {
  if (normalizer === null || normalizer === undefined) return true;
  if (!isJsonObject(normalizer)) return false;
  const { type, normalizers } = normalizer;
  if (type === 'Sequence') return Array.isArray(normalizers) && normalizers.every(leavesAscii);
  return LEAVES_ASCII.has(String(type));
}
