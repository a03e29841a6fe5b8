const REPLACEMENT = '\ufffd';

/** Bytes that come one at a time to characters; each byte that belongs to none becomes U+FFFD. */
export class RawByteText {
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  private pending: number[] = [];

  push(byte: number): string {
    const isContinuation = (byte & 0xc0) === 0x80;
    const broken = isContinuation ? '' : this.end();
    this.pending.push(byte);
    if (this.pending.length < characterBytes(this.pending[0]!)) return broken;
    const character = this.decode();
    this.pending = [];
    return broken + character;
  }

  /** @returns U+FFFD for each byte of an unfinished character */
  end(): string {
    const broken = REPLACEMENT.repeat(this.pending.length);
    this.pending = [];
    return broken;
  }

  private decode(): string {
    try {
      return this.decoder.decode(Uint8Array.from(this.pending));
    } catch {
      // An overlong form, a surrogate, a stray byte: not a character of Unicode.
      return REPLACEMENT.repeat(this.pending.length);
    }
  }
}

/** The length a first byte announces; 1 for a byte that can start no character. */
function characterBytes(firstByte: number): number {
  if (firstByte >= 0xf0 && firstByte <= 0xf4) return 4;
  if (firstByte >= 0xe0 && firstByte <= 0xef) return 3;
  if (firstByte >= 0xc2 && firstByte <= 0xdf) return 2;
  return 1;
}
