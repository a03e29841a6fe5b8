import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { AsciiEncoder } from './ascii-bpe/ascii-encoder.js';
import { LongTextQueue } from './ascii-bpe/long-text-queue.js';
import { sampleTexts } from './ascii-bpe/sample-texts.js';
import { EncodingQueue } from './encoding-queue.js';
import { readSpecialTokens } from './special-tokens.js';
import { type TextFiles, TextFilesError } from './text-files.js';
import { readTokenizerJson } from './tokenizer-json.js';

export interface TokenizerOptions {
  /** Longest text that is encoded, in UTF-16 code units. Default 1,000,000. */
  readonly maxCharacters?: number;
}

export interface EncodeOptions {
  /** Whether the tokenizer adds its own, such as a leading bos. Default true. Those in the text always count. */
  readonly addSpecialTokens?: boolean;
  /** Most tokens that are of use. A text that has far more is refused after a look at its beginning. */
  readonly maxTokens?: number;
  /** Ends a text that is encoded in turns; what has gone to the pool is encoded to its end. */
  readonly signal?: AbortSignal;
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

/** The beginning of the text alone has far more tokens than are of use; the rest was not encoded. */
export class TooManyTokensError extends Error {
  override readonly name = 'TooManyTokensError';

  constructor(readonly maxTokens: number) {
    super(`The text has far more than ${maxTokens} tokens.`);
  }
}

/** First look at a long text, in characters per token of use: prose has about 4. Each look is twice the one before. */
const FIRST_LOOK_CHARACTERS = 4;
/**
 * "Far more": where a beginning is cut, its last tokens are others than in the whole text, so its count is no exact bound.
 * What lies between is encoded as a whole and counted.
 */
const FAR_MORE = 2;

/**
 * Chosen: about 220,000 tokens of prose. Encoding them took 0.6 s of a pool thread and about 100 MB for its time
 * (SmolLM2's tokenizer, November 2026); a caller that knows the model's context should set less.
 */
export const DEFAULT_MAX_CHARACTERS = 1_000_000;

/**
 * Encoded at once where the tokenizer can: some 250 tokens. Chosen: 1,024 characters of words that were never seen take
 * 0.2 ms of the caller's thread, of words that were 0.08 (2026-11-29, bench/tokens/at-once.mjs).
 */
const LONGEST_AT_ONCE_CHARACTERS = 1_024;

/**
 * Text to token ids, by the model's tokenizer.json. Encoding runs on a thread of the pool, not on the event loop, but for
 * what `encodeHere` asks for.
 */
export class Tokenizer {
  /** Number of ids, added tokens included. The model's output layer may have more. */
  readonly vocabularySize: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;
  private readonly queues: Readonly<Record<'plain' | 'special', EncodingQueue>>;
  private asciiEncoder: AsciiEncoder | undefined;
  private longTexts: LongTextQueue | undefined;

  private constructor(
    private readonly source: string,
    private readonly native: NativeTokenizer,
    private readonly maxCharacters: number,
    special: { readonly bos: string | undefined; readonly eos: string | undefined },
  ) {
    this.queues = { plain: queueOf(native, false), special: queueOf(native, true) };
    this.vocabularySize = native.getVocabSize(true);
    this.bosTokenId = special.bos === undefined ? undefined : this.idOf(special.bos);
    this.eosTokenId = special.eos === undefined ? undefined : this.idOf(special.eos);
  }

  /** @throws TextFilesError when tokenizer.json is missing or cannot be loaded */
  static fromFiles(files: TextFiles, options: TokenizerOptions = {}): Tokenizer {
    const source = readTokenizerJson(files);
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
    return new Tokenizer(source, native, options.maxCharacters ?? DEFAULT_MAX_CHARACTERS, { bos, eos });
  }

  /**
   * From now on texts in ASCII are encoded on the thread that asks, short ones at once and long ones in turns, as long as few
   * of these wait. Only for a tokenizer of a kind that can be, and if some texts have the same ids both ways. For those who
   * encode with every request: reading it takes a moment.
   * @returns whether they are
   */
  async encodeHere(): Promise<boolean> {
    const encoder = await AsciiEncoder.read(this.source);
    if (encoder === undefined) return false;
    const texts = sampleTexts();
    for (const addSpecialTokens of [false, true]) {
      const reference = await this.native.encodeBatch(texts, { addSpecialTokens });
      const isSame = (text: string, index: number) => {
        const ids = encoder.encode(text, addSpecialTokens);
        return ids === undefined || ids.join() === reference[index]?.getIds().join();
      };
      if (!texts.every(isSame)) return false;
    }
    this.asciiEncoder = encoder;
    this.longTexts = new LongTextQueue(encoder);
    return true;
  }

  /**
   * Lone surrogates count as U+FFFD.
   * @throws TextTooLongError before any work
   * @throws TooManyTokensError after work in proportion to `maxTokens`, not to the text
   * @throws the signal's reason
   */
  async encode(text: string, options: EncodeOptions = {}): Promise<readonly number[]> {
    if (text.length > this.maxCharacters) throw new TextTooLongError(text.length, this.maxCharacters);
    const { addSpecialTokens = true, maxTokens, signal } = options;
    const isShort = text.length <= LONGEST_AT_ONCE_CHARACTERS;
    const shortIds = isShort ? this.asciiEncoder?.encode(text, addSpecialTokens) : undefined;
    if (shortIds !== undefined) return shortIds;
    if (maxTokens !== undefined) await this.refuseFarMore(text, maxTokens);
    const longIds = isShort ? undefined : await this.longTexts?.encode(text, addSpecialTokens, signal);
    if (longIds !== undefined) return longIds;
    const encoding = await this.queues[addSpecialTokens ? 'special' : 'plain'].encode(text.toWellFormed());
    return encoding.getIds();
  }

  private async refuseFarMore(text: string, maxTokens: number): Promise<void> {
    for (let characters = FIRST_LOOK_CHARACTERS * Math.max(1, maxTokens); characters < text.length; characters *= 2) {
      const beginning = text.slice(0, characters).toWellFormed();
      const encoding = await this.native.encode(beginning, null, { addSpecialTokens: false });
      if (encoding.getLength() > FAR_MORE * maxTokens) throw new TooManyTokensError(maxTokens);
    }
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

function queueOf(native: NativeTokenizer, addSpecialTokens: boolean): EncodingQueue {
  return new EncodingQueue((texts) => native.encodeBatch([...texts], { addSpecialTokens }));
}
