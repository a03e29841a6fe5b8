import { isJsonObject } from '../text-files.js';
import { AddedTokens } from './added-tokens.js';
import { readAsciiPieces } from './ascii-pieces.js';
import { BytePairModel } from './byte-pair-model.js';
import { readSurroundingTokens, type SurroundingTokens } from './surrounding-tokens.js';

/** Whatever the unicode form, ASCII stays as it is. */
const LEAVES_ASCII = new Set(['NFC', 'NFD', 'NFKC', 'NFKD']);
const ASCII = /^[\0-\x7f]*$/;

/**
 * Encodes short ASCII texts at once, on the thread that asks, for tokenizers of the kind that most models have: byte pairs over the byte-level alphabet. A hop to another
 * thread and back costs more than a short text (docs/decisions/2026-11-29-short-texts-at-once.md).
 */
export class AtOnceEncoder {
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
  static async read(source: string): Promise<AtOnceEncoder | undefined> {
    const file: unknown = JSON.parse(source);
    if (!isJsonObject(file) || !leavesAscii(file['normalizer'])) return undefined;
    const piecesOf = readAsciiPieces(file['pre_tokenizer']);
    const surrounding = readSurroundingTokens(file['post_processor']);
    if (piecesOf === undefined || surrounding === undefined) return undefined;
    const model = await BytePairModel.read(file['model']);
    return model && new AtOnceEncoder(new AddedTokens(file['added_tokens']), piecesOf, model, surrounding);
  }

  /** @returns `undefined` for a text that has to be encoded the other way */
  encode(text: string, addSpecialTokens: boolean): number[] | undefined {
    const parts = ASCII.test(text) ? this.added.cut(text) : undefined;
    if (parts === undefined) return undefined;
    const ids: number[] = addSpecialTokens ? [...this.surrounding.before] : [];
    for (const part of parts) {
      if (typeof part !== 'string') ids.push(part.id);
      else if (!this.encodeRun(part, ids)) return undefined;
    }
    if (addSpecialTokens) ids.push(...this.surrounding.behind);
    return ids;
  }

  private encodeRun(run: string, into: number[]): boolean {
    for (const piece of this.piecesOf(run)) {
      const ids = this.model.encode(piece);
      if (ids === undefined) return false;
      for (const id of ids) into.push(id);
    }
    return true;
  }
}

function leavesAscii(normalizer: unknown): boolean {
  if (normalizer === null || normalizer === undefined) return true;
  if (!isJsonObject(normalizer)) return false;
  const { type, normalizers } = normalizer;
  if (type === 'Sequence') return Array.isArray(normalizers) && normalizers.every(leavesAscii);
  return LEAVES_ASCII.has(String(type));
}
