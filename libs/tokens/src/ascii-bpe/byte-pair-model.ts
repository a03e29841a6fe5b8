import { setImmediate as turn } from 'node:timers/promises';
import { BYTE_CHARACTERS } from '../byte-alphabet.js';
import { isJsonObject, type JsonObject } from '../text-files.js';
import { PairTable } from './pair-table.js';

const ASCII_BOUND = 128;
/** Merging looks at each pair again after each merge: pieces of text are short, and what is longer goes the other way. */
const LONGEST_MERGED_PIECE = 128;
/** Read at once, in about 1 ms; then others have their turn. */
const MERGES_AT_ONCE = 2_000;
/** Pieces whose ids are kept: the words of a language that are often used, about 1 MB. */
const KEPT_PIECES = 8_192;
/** A longer one would be a view of the whole text it comes from, and keep that. */
const LONGEST_KEPT = 12;

/**
 * Byte pair encoding of pieces of ASCII text, from the `model` of a tokenizer.json: of the pairs of neighbours that have a merge, the one of the
 * lowest rank is merged, the first of several, until there is none.
 * @see Sennrich et al. 2016, arXiv:1508.07909
 */
export class BytePairModel {
  private readonly kept = new Map<string, readonly number[]>();
  private readonly longestPiece: number;

  private constructor(
    private readonly ranks: PairTable,
    /** What a merge gives, by rank. */
    private readonly merged: Int32Array,
    /** Id of each ASCII character in the byte-level alphabet; -1 for none. */
    private readonly byteIds: Int32Array,
    /** Whole pieces that are tokens, where those are not merged at all. */
    private readonly whole: JsonObject | undefined,
  ) {
    this.longestPiece = merged.length === 0 ? Infinity : LONGEST_MERGED_PIECE;
  }

  /** @returns `undefined` for a model of another kind, or with an option that is not known here */
  static async read(model: unknown): Promise<BytePairModel | undefined> {
    if (!isJsonObject(model) || !hasKnownOptions(model)) return undefined;
    const { vocab, merges } = model;
    if (!isJsonObject(vocab) || !Array.isArray(merges)) return undefined;
    const ranks = new PairTable(merges.length);
    const merged = new Int32Array(merges.length);
    for (const [rank, merge] of merges.entries()) {
      const [left, right] = typeof merge === 'string' ? merge.split(' ') : (merge as string[]);
      const ids = [left, right, `${left}${right}`].map((token) => vocab[token as string]);
      if (!ids.every((id) => Number.isInteger(id))) return undefined;
      const [leftId, rightId, mergedId] = ids as [number, number, number];
      ranks.set(leftId, rightId, rank);
      merged[rank] = mergedId;
      if (rank % MERGES_AT_ONCE === MERGES_AT_ONCE - 1) await turn();
    }
    const byteIds = Int32Array.from(
      BYTE_CHARACTERS.slice(0, ASCII_BOUND),
      (character) => (vocab[character] as number | undefined) ?? -1,
    );
    return new BytePairModel(ranks, merged, byteIds, model['ignore_merges'] === true ? vocab : undefined);
  }

  /** @returns the ids of a piece of ASCII text, not to be written to; `undefined` when it is too long or has a character without a token */
  encode(piece: string): readonly number[] | undefined {
    const known = this.kept.get(piece);
    if (known !== undefined) return known;
    const ids = this.wholeOf(piece) ?? this.merge(piece);
    if (ids === undefined) return undefined;
    if (piece.length > LONGEST_KEPT) return ids;
    if (this.kept.size >= KEPT_PIECES) this.kept.clear(); // all at once costs less than an order of uses
    this.kept.set(piece, ids);
    return ids;
  }

  private wholeOf(piece: string): readonly number[] | undefined {
    if (this.whole === undefined || piece.length > this.longestPiece) return undefined;
    const token = Array.from(piece, (character) => BYTE_CHARACTERS[character.charCodeAt(0)]).join('');
    const id = Object.hasOwn(this.whole, token) ? (this.whole[token] as number) : undefined;
    return id === undefined ? undefined : [id];
  }

  private merge(piece: string): readonly number[] | undefined {
    if (piece.length > this.longestPiece) return undefined;
    const ids: number[] = [];
    for (let i = 0; i < piece.length; i++) {
      const id = this.byteIds[piece.charCodeAt(i)] ?? -1;
      if (id < 0) return undefined;
      ids.push(id);
    }
    if (this.merged.length === 0) return ids;
    // Ranks of each id with the next one; they change beside a merge only.
    const ranks = ids.map((id, index) => (index + 1 < ids.length ? this.ranks.get(id, ids[index + 1]!) : -1));
    for (;;) {
      const at = lowest(ranks);
      if (at === -1) return ids;
      ids.splice(at, 2, this.merged[ranks[at]!]!);
      ranks.splice(at, 1);
      ranks[at] = at + 1 < ids.length ? this.ranks.get(ids[at]!, ids[at + 1]!) : -1;
      if (at > 0) ranks[at - 1] = this.ranks.get(ids[at - 1]!, ids[at]!);
    }
  }
}

/** @returns where the lowest rank stands first; -1 when there is none */
function lowest(ranks: readonly number[]): number {
  let at = -1;
  for (let i = 0; i < ranks.length; i++) {
    if (ranks[i]! >= 0 && (at === -1 || ranks[i]! < ranks[at]!)) at = i;
  }
  return at;
}

function hasKnownOptions(model: JsonObject): boolean {
  const isUnset = (name: string) => (model[name] ?? '') === '';
  return (
    model['type'] === 'BPE' &&
    (model['dropout'] ?? 0) === 0 &&
    model['byte_fallback'] !== true &&
    isUnset('continuing_subword_prefix') &&
    isUnset('end_of_word_suffix')
  );
}
