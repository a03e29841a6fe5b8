/**
 * The byte-level alphabet of GPT-2 and its heirs: each byte has a printable character. Printable Latin-1 bytes keep
 * theirs, the 68 others get the characters from U+0100 on, in order.
 */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();

const BYTE_OF_CODE_UNIT: ReadonlyMap<number, number> = new Map(
  BYTE_CHARACTERS.map((character, byte) => [character.charCodeAt(0), byte]),
);

/** @returns the bytes a byte-level token stands for, `undefined` when a character is not in the alphabet */
export function bytesOfAlphabet(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_CODE_UNIT.get(token.charCodeAt(i));
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

function byteCharacters(): string[] {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}
