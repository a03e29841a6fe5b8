import { RawByteText } from './raw-byte-text.js';
import type { TokenTable } from './token-table.js';

export interface DetokenizerOptions {
  /** Whether special tokens are left out of the text. Default true. */
  readonly skipSpecialTokens?: boolean;
  /** The prompt that the text goes on from. Without a token that shows in it, or without it, a text starts anew. */
  readonly promptTokenIds?: ArrayLike<number>;
}

/**
 * Token ids to text as they come. A character whose bytes are spread over tokens comes whole with its last one.
 *
 * All pieces together are what the tokenizer's decoder makes of all ids at once, invalid UTF-8 included. One
 * exception: of a run of raw bytes (`<0xE2>`) with a fault in it, the tokenizer makes one U+FFFD for every byte; here
 * its whole characters, which may be with the client already, stay and only the others are replaced.
 */
export class IncrementalDetokenizer {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private readonly rawBytes = new RawByteText();
  private readonly skipSpecialTokens: boolean;
  private isFirst: boolean;
  /** Leading characters that may still have to go. */
  private leadingStrips: number;

  constructor(
    private readonly table: TokenTable,
    options: DetokenizerOptions = {},
  ) {
    this.skipSpecialTokens = options.skipSpecialTokens ?? true;
    this.isFirst = !Array.prototype.some.call(options.promptTokenIds ?? [], (id: number) => this.shows(id));
    this.leadingStrips = this.isFirst ? (table.leadingStrip?.count ?? 0) : 0;
  }

  /** @returns the characters complete with this token, often none. Unknown ids add nothing */
  push(tokenId: number): string {
    if (!this.shows(tokenId)) return '';
    const bytes = this.table.bytes(tokenId, this.isFirst);
    this.isFirst = false;
    if (this.table.isByteLevel) return this.decoder.decode(bytes, { stream: true });
    const text = this.table.isRawByte(tokenId)
      ? this.rawBytes.push(bytes[0]!)
      : this.rawBytes.end() + this.decoder.decode(bytes);
    return this.withoutLeadingStrip(text);
  }

  /** @returns U+FFFD for what is left of an unfinished character */
  end(): string {
    if (this.table.isByteLevel) return this.decoder.decode();
    return this.withoutLeadingStrip(this.rawBytes.end());
  }

  private shows(tokenId: number): boolean {
    return this.table.has(tokenId) && !(this.skipSpecialTokens && this.table.isSpecial(tokenId));
  }

  private withoutLeadingStrip(text: string): string {
    const content = this.table.leadingStrip?.content;
    let rest = text;
    while (this.leadingStrips > 0 && content !== undefined && rest.length > 0) {
      if (rest.startsWith(content)) {
        rest = rest.slice(content.length);
        this.leadingStrips--;
      } else this.leadingStrips = 0;
    }
    return rest;
  }
}
