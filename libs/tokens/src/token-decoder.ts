import { bytesOfAlphabet } from './byte-alphabet.js';
import { isJsonObject, type JsonObject, TextFilesError } from './text-files.js';

/** What a token adds to the text: UTF-8 text, or with `isRawByte` one byte of a character spelt out in bytes. */
export interface DecodedToken {
  readonly bytes: Uint8Array;
  readonly isRawByte: boolean;
}

/**
 * The `decoder` of a tokenizer.json, reduced to what can be said of each token by itself. Two things depend on the
 * place: a token may look different as the first of a text, and the whole text may lose leading characters.
 */
export interface TokenDecoder {
  /** Whether a character may be spread over tokens whose bytes are not valid UTF-8 by themselves. */
  readonly isByteLevel: boolean;
  /** Characters taken off the start of the text: at most `count` times `content`. */
  readonly leadingStrip: { readonly content: string; readonly count: number } | undefined;
  /** Whether `decode(token, true)` ever differs from `decode(token, false)`. */
  readonly hasFirstForm: boolean;
  decode(token: string, isFirst: boolean): DecodedToken;
}

interface Step {
  readonly hasFirstForm?: boolean;
  apply(token: string, isFirst: boolean): string;
}

const utf8 = new TextEncoder();
const RAW_BYTE = /^<0x([0-9A-Fa-f]{2})>$/;

/** @throws TextFilesError for a decoder that needs more than one token at a time */
export function readTokenDecoder(decoder: unknown): TokenDecoder {
  const parts = flatten(decoder);
  const steps: Step[] = [];
  let isByteLevel = false;
  let hasRawBytes = false;
  let isFused = false;
  let leadingStrip: TokenDecoder['leadingStrip'];
  // Without a decoder the tokens are joined with blanks.
  if (parts.length === 0) {
    steps.push({ hasFirstForm: true, apply: (token, isFirst) => (isFirst ? token : ` ${token}`) });
  }
  for (const part of parts) {
    const type = part['type'];
    if (isByteLevel || (isFused && type !== 'Strip' && type !== 'Fuse')) throw unsupported(decoder);
    if (type === 'ByteLevel') isByteLevel = true;
    else if (type === 'ByteFallback') hasRawBytes = true;
    else if (type === 'Fuse') isFused = true;
    else if (type === 'Replace') steps.push(replaceStep(part, decoder));
    else if (type === 'Metaspace') steps.push(metaspaceStep(part));
    else if (type === 'WordPiece') steps.push(wordPieceStep(part));
    else if (type === 'Strip' && isFused && Number(part['stop']) === 0 && leadingStrip === undefined) {
      leadingStrip = { content: String(part['content']), count: Number(part['start']) };
    } else throw unsupported(decoder);
  }
  return {
    isByteLevel,
    leadingStrip,
    hasFirstForm: steps.some((step) => step.hasFirstForm),
    decode(token, isFirst) {
      const rawByte = hasRawBytes ? RAW_BYTE.exec(token) : null;
      if (rawByte !== null) return { bytes: Uint8Array.of(Number.parseInt(rawByte[1]!, 16)), isRawByte: true };
      const text = steps.reduce((spelling, step) => step.apply(spelling, isFirst), token);
      return { bytes: (isByteLevel ? bytesOfAlphabet(text) : undefined) ?? utf8.encode(text), isRawByte: false };
    },
  };
}

function flatten(decoder: unknown): JsonObject[] {
  if (!isJsonObject(decoder)) return [];
  if (decoder['type'] !== 'Sequence') return [decoder];
  return (Array.isArray(decoder['decoders']) ? decoder['decoders'] : []).flatMap(flatten);
}

function replaceStep(part: JsonObject, decoder: unknown): Step {
  const pattern = isJsonObject(part['pattern']) ? part['pattern']['String'] : undefined;
  const content = part['content'];
  if (typeof pattern !== 'string' || typeof content !== 'string') throw unsupported(decoder);
  return { apply: (token) => token.replaceAll(pattern, () => content) };
}

/** SentencePiece's `▁`: a blank, but nothing in the first token of a text (unless the scheme is `never`). */
function metaspaceStep(part: JsonObject): Step {
  const replacement = typeof part['replacement'] === 'string' ? part['replacement'] : '▁';
  const hasFirstForm = part['prepend_scheme'] !== 'never' && part['add_prefix_space'] !== false;
  return {
    hasFirstForm,
    apply: (token, isFirst) => token.replaceAll(replacement, isFirst && hasFirstForm ? '' : ' '),
  };
}

/** English contractions and punctuation to which WordPiece's decoder closes up. */
const CLEANUP: readonly (readonly [string, string])[] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

function wordPieceStep(part: JsonObject): Step {
  const prefix = typeof part['prefix'] === 'string' ? part['prefix'] : '##';
  const isCleanedUp = part['cleanup'] !== false;
  return {
    hasFirstForm: true,
    apply(token, isFirst) {
      const joined = isFirst ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
      return isCleanedUp ? CLEANUP.reduce((text, [from, to]) => text.replaceAll(from, to), joined) : joined;
    },
  };
}

function unsupported(decoder: unknown): TextFilesError {
  const kinds = flatten(decoder).map((part) => String(part['type']));
  return new TextFilesError('tokenizer.json', `has a decoder that cannot be streamed: ${kinds.join(', ')}`);
}
