import { normalizedContent } from './normalized-content.js';
import { readSpecialTokens } from './special-tokens.js';
import { isJsonObject, type JsonObject, parseJsonObject, type TextFiles, TextFilesError } from './text-files.js';
import { readTokenDecoder, type TokenDecoder } from './token-decoder.js';
import { readTokenizerJson } from './tokenizer-json.js';

const IS_KNOWN = 1;
const IS_SPECIAL = 2;
const IS_RAW_BYTE = 4;

/** Upper bound of ids, far over any vocabulary; keeps a broken file from asking for gigabytes. */
const MAX_TOKEN_ID = 4_000_000;

/** Token id → the bytes it adds to a text, for all ids at once in three flat arrays. Immutable. */
export class TokenTable {
  /** One more than the highest id. */
  readonly size: number;
  readonly isByteLevel: boolean;
  readonly leadingStrip: TokenDecoder['leadingStrip'];
  private readonly flags: Uint8Array;
  private readonly later: ByteRuns;
  private readonly first: ByteRuns;

  private constructor(
    tokens: ReadonlyMap<number, string>,
    specialIds: ReadonlySet<number>,
    decoder: TokenDecoder,
    /** The tokenizer's own end token. */
    readonly eosTokenId: number | undefined,
  ) {
    let size = 0;
    for (const id of tokens.keys()) size = Math.max(size, id + 1);
    this.size = size;
    this.isByteLevel = decoder.isByteLevel;
    this.leadingStrip = decoder.leadingStrip;
    this.flags = new Uint8Array(this.size);
    const decoded = new Array<Uint8Array>(this.size);
    for (const [id, token] of tokens) {
      const { bytes, isRawByte } = decoder.decode(token, false);
      decoded[id] = bytes;
      this.flags[id] = IS_KNOWN | (specialIds.has(id) ? IS_SPECIAL : 0) | (isRawByte ? IS_RAW_BYTE : 0);
    }
    this.later = new ByteRuns(decoded);
    if (decoder.hasFirstForm) {
      for (const [id, token] of tokens) decoded[id] = decoder.decode(token, true).bytes;
      this.first = new ByteRuns(decoded);
    } else this.first = this.later;
  }

  /** @throws TextFilesError when tokenizer.json is missing, or has a decoder that cannot be streamed */
  static fromFiles(files: TextFiles): TokenTable {
    const source = readTokenizerJson(files);
    const file = source === undefined ? undefined : parseJsonObject(source, 'tokenizer.json');
    if (file === undefined) throw new TextFilesError('tokenizer.json', 'is missing: the model cannot write text');
    const tokens = new Map<number, string>();
    const specialIds = new Set<number>();
    const { eos_token: eos } = readSpecialTokens(files);
    let eosTokenId: number | undefined;
    for (const [token, id] of vocabularyOf(file)) {
      tokens.set(checkedId(id), token);
      if (token === eos) eosTokenId = checkedId(id);
    }
    for (const added of Array.isArray(file['added_tokens']) ? file['added_tokens'] : []) {
      if (!isJsonObject(added)) continue;
      const id = checkedId(added['id']);
      const content = String(added['content']);
      tokens.set(id, added['normalized'] === true ? normalizedContent(file['normalizer'], content) : content);
      if (added['content'] === eos) eosTokenId ??= id; // in the vocabulary it keeps the id that it has there
      if (added['special'] === true) specialIds.add(id);
    }
    return new TokenTable(tokens, specialIds, readTokenDecoder(file['decoder']), eosTokenId);
  }

  has(tokenId: number): boolean {
    return (this.flags[tokenId]! & IS_KNOWN) !== 0;
  }

  /** Special tokens (bos, eos, roles) are not part of the text a client sees. */
  isSpecial(tokenId: number): boolean {
    return (this.flags[tokenId]! & IS_SPECIAL) !== 0;
  }

  /** Whether the token is one byte of a character spelt out in bytes (`<0xE2>`). */
  isRawByte(tokenId: number): boolean {
    return (this.flags[tokenId]! & IS_RAW_BYTE) !== 0;
  }

  /**
   * @param isFirst  whether the token starts the text: some vocabularies drop a leading blank there
   * @returns what the token adds to a text; nothing for an unknown id. A view: not to be written to
   */
  bytes(tokenId: number, isFirst = false): Uint8Array {
    return (isFirst ? this.first : this.later).at(tokenId);
  }

  /** The token by itself, for people and for log-probabilities: broken characters become U+FFFD. */
  text(tokenId: number): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.bytes(tokenId));
  }
}

/** Many short byte strings in one buffer: shape offsets [count + 1]. */
class ByteRuns {
  private readonly offsets: Uint32Array;
  private readonly bytes: Uint8Array;

  constructor(runs: ArrayLike<Uint8Array | undefined>) {
    this.offsets = new Uint32Array(runs.length + 1);
    for (let i = 0; i < runs.length; i++) this.offsets[i + 1] = this.offsets[i]! + (runs[i]?.length ?? 0);
    this.bytes = new Uint8Array(this.offsets[runs.length]!);
    for (let i = 0; i < runs.length; i++) {
      const run = runs[i];
      if (run !== undefined) this.bytes.set(run, this.offsets[i]!);
    }
  }

  at(index: number): Uint8Array {
    return this.bytes.subarray(this.offsets[index] ?? 0, this.offsets[index + 1] ?? this.offsets[index] ?? 0);
  }
}

/** BPE, WordPiece and WordLevel map tokens to ids; Unigram lists [token, score] by id. */
function* vocabularyOf(file: JsonObject): Iterable<readonly [string, unknown]> {
  const vocabulary = isJsonObject(file['model']) ? file['model']['vocab'] : undefined;
  if (Array.isArray(vocabulary)) {
    for (const [id, entry] of vocabulary.entries()) yield [String(Array.isArray(entry) ? entry[0] : entry), id];
  } else if (isJsonObject(vocabulary)) yield* Object.entries(vocabulary);
  else throw new TextFilesError('tokenizer.json', 'has no vocabulary');
}

function checkedId(id: unknown): number {
  if (Number.isInteger(id) && (id as number) >= 0 && (id as number) <= MAX_TOKEN_ID) return id as number;
  throw new TextFilesError('tokenizer.json', `has the token id ${String(id)}, which is not in 0 to ${MAX_TOKEN_ID}`);
}
