import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { readSpecialTokens } from './special-tokens.js';
import { readText, type TextFiles, TextFilesError } from './text-files.js';

export interface TokenizerOptions {
  /** Longest text that is encoded, in UTF-16 code units. Default 1,000,000. */
  readonly maxCharacters?: number;
}

export interface EncodeOptions {
  /** Whether the tokenizer adds its own, such as a leading bos. Default true. Those in the text always count. */
  readonly addSpecialTokens?: boolean;
}

/** The text is longer than the tokenizer's limit; nothing was encoded. */
export class TextTooLongError extends Error {
  override readonly name = 'TextTooLongError';

  constructor(
    readonly characters: number,
    readonly maxCharacters: number,
  ) {
    super(`The text has ${characters} characters; at most ${maxCharacters} are accepted.`);
  }
}

/**
 * Chosen: about 220,000 tokens of prose. Encoding them took 0.6 s of a pool thread and about 100 MB for its time
 * (SmolLM2's tokenizer, November 2026); a caller that knows the model's context should set less.
 */
export const DEFAULT_MAX_CHARACTERS = 1_000_000;

/** Text to token ids, by the model's tokenizer.json. Encoding runs on a thread of the pool, not on the event loop. */
export class Tokenizer {
  /** Number of ids, added tokens included. The model's output layer may have more. */
  readonly vocabularySize: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;

  private constructor(
    private readonly native: NativeTokenizer,
    private readonly maxCharacters: number,
    special: { readonly bos: string | undefined; readonly eos: string | undefined },
  ) {
    this.vocabularySize = native.getVocabSize(true);
    this.bosTokenId = special.bos === undefined ? undefined : this.idOf(special.bos);
    this.eosTokenId = special.eos === undefined ? undefined : this.idOf(special.eos);
  }

  /** @throws TextFilesError when tokenizer.json is missing or cannot be loaded */
  static fromFiles(files: TextFiles, options: TokenizerOptions = {}): Tokenizer {
    const source = readText(files, 'tokenizer.json');
    if (source === undefined) throw new TextFilesError('tokenizer.json', 'is missing: the model cannot read text');
    const { bos_token: bos, eos_token: eos } = readSpecialTokens(files);
    let native: NativeTokenizer;
    try {
      native = NativeTokenizer.fromString(source);
    } catch (cause) {
      throw new TextFilesError('tokenizer.json', `cannot be loaded: ${(cause as Error).message}`, { cause });
    }
    // Some files carry the settings of their training run; a prompt is neither cut nor filled up.
    native.disableTruncation();
    native.disablePadding();
    return new Tokenizer(native, options.maxCharacters ?? DEFAULT_MAX_CHARACTERS, { bos, eos });
  }

  /**
   * Lone surrogates count as U+FFFD.
   * @throws TextTooLongError before any work
   */
  async encode(text: string, options: EncodeOptions = {}): Promise<Uint32Array> {
    if (text.length > this.maxCharacters) throw new TextTooLongError(text.length, this.maxCharacters);
    const addSpecialTokens = options.addSpecialTokens ?? true;
    const encoding = await this.native.encode(text.toWellFormed(), null, { addSpecialTokens });
    return Uint32Array.from(encoding.getIds());
  }

  /** The whole text of the ids at once; streams use IncrementalDetokenizer. Unknown ids are left out. */
  async decode(tokenIds: ArrayLike<number>, options: { readonly skipSpecialTokens?: boolean } = {}): Promise<string> {
    return this.native.decode(Array.from(tokenIds), options.skipSpecialTokens ?? true);
  }

  /** @returns the id of a token given in the vocabulary's own spelling */
  idOf(token: string): number | undefined {
    return this.native.tokenToId(token) ?? undefined;
  }
}
