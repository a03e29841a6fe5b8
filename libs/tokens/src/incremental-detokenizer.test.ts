import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { llamaTextFiles, SENTENCE_PIECE_DECODER, sentencePieceFiles, textFiles } from '../testing/text-fixtures.js';
import { type DetokenizerOptions, IncrementalDetokenizer } from './incremental-detokenizer.js';
import { syntheticTextFiles } from './synthetic-tokenizer.js';
import { TextFilesError } from './text-files.js';
import { TokenTable } from './token-table.js';
import { Tokenizer } from './tokenizer.js';

function piecesOf(table: TokenTable, tokenIds: readonly number[], options?: DetokenizerOptions): string[] {
  const detokenizer = new IncrementalDetokenizer(table, options);
  return [...tokenIds.map((id) => detokenizer.push(id)), detokenizer.end()];
}

function wordPieceFiles() {
  const tokens = ['[UNK]', '[CLS]', 'play', '##ing', 'don', "'", 't', '.', ',', '##.', 'ü', "n't", '##n'];
  return textFiles({
    'tokenizer.json': {
      version: '1.0',
      added_tokens: [],
      decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
      model: {
        type: 'WordPiece',
        unk_token: '[UNK]',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      },
    },
  });
}

const metaspace = (prepend_scheme: string) => ({ type: 'Metaspace', replacement: '▁', prepend_scheme, split: true });

/** Kinds whose every sequence of ids gives what the tokenizer gives. */
const exactKinds: readonly (readonly [string, ReadonlyMap<string, Uint8Array>])[] = [
  ['byte-level BPE', llamaTextFiles()],
  ['the synthetic tokenizer', syntheticTextFiles()],
  ['Metaspace, always', sentencePieceFiles(metaspace('always'))],
  ['Metaspace, first', sentencePieceFiles(metaspace('first'))],
  ['Metaspace, never', sentencePieceFiles(metaspace('never'))],
  ['WordPiece', wordPieceFiles()],
  ['no decoder', sentencePieceFiles(null)],
];

describe('IncrementalDetokenizer', () => {
  describe.each(exactKinds)('with %s', (_, files) => {
    const table = TokenTable.fromFiles(files);
    const tokenizer = Tokenizer.fromFiles(files);
    // Two ids more than there are: unknown ids add nothing.
    const tokenIds = fc.array(fc.nat({ max: table.size + 1 }), { maxLength: 40 });

    it('given any ids, when pushed one by one, then the pieces together are the full text', () =>
      fc.assert(
        fc.asyncProperty(tokenIds, fc.boolean(), async (ids, skipSpecialTokens) => {
          const whole = await tokenizer.decode(ids, { skipSpecialTokens });
          expect(piecesOf(table, ids, { skipSpecialTokens }).join('')).toBe(whole);
        }),
      ));
  });

  const bytes = TokenTable.fromFiles(syntheticTextFiles());

  it('given any text as bytes, when pushed, then each character comes whole with its last byte', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const detokenizer = new IncrementalDetokenizer(bytes);
        for (const character of text) {
          const pieces = [...new TextEncoder().encode(character)].map((byte) => detokenizer.push(byte));
          expect(pieces.pop()).toBe(character);
          expect(pieces.join('')).toBe('');
        }
        expect(detokenizer.end()).toBe('');
      }),
    ));

  it('given an unfinished character, when the text ends, then the end gives its replacement', () => {
    expect(piecesOf(bytes, [0x61, 0xe2, 0x82])).toEqual(['a', '', '', '\ufffd']);
  });

  it('given a byte order mark, when it starts the text, then it stays', () => {
    expect(piecesOf(bytes, [0xef, 0xbb, 0xbf, 0x61]).join('')).toBe('\ufeffa');
    const raw = TokenTable.fromFiles(sentencePieceFiles(SENTENCE_PIECE_DECODER));
    expect(
      piecesOf(
        raw,
        [0xef, 0xbb, 0xbf, 0x61].map((byte) => 3 + byte),
      ).join(''),
    ).toBe('\ufeffa');
  });

  describe('with SentencePiece and raw bytes', () => {
    const files = sentencePieceFiles(SENTENCE_PIECE_DECODER);
    const table = TokenTable.fromFiles(files);
    const tokenizer = Tokenizer.fromFiles(files);
    const firstByte = 3;
    const firstPiece = firstByte + 256;
    const rawBytes = (text: string) => [...new TextEncoder().encode(text)].map((byte) => firstByte + byte);

    const piece = fc.integer({ min: firstPiece, max: table.size - 1 });
    const special = fc.nat({ max: 2 });
    // Characters of two, three and four bytes, also the first and the last of each length.
    const edges = fc.constantFrom('\u0080', 'é', '\u07ff', '\u0800', '日', '\uffff', '\u{10000}', '🎉', '\u{10ffff}');
    const spelt = fc
      .string({ unit: fc.oneof(edges, fc.string({ unit: 'binary', maxLength: 1 })), maxLength: 3 })
      .map(rawBytes);
    const validIds = fc
      .array(fc.oneof(fc.tuple(piece), fc.tuple(special), spelt), { maxLength: 20 })
      .map((parts) => parts.flat());

    it('given whole characters in any spelling, when pushed, then the pieces together are the full text', () =>
      fc.assert(
        fc.asyncProperty(validIds, async (ids) => {
          expect(piecesOf(table, ids).join('')).toBe(await tokenizer.decode(ids));
        }),
      ));

    it('given one broken character between pieces, when pushed, then each byte gives a replacement', async () => {
      for (const broken of [
        [0xe2],
        [0xe2, 0x82],
        [0x82],
        [0xff],
        [0xe0, 0x80, 0x80],
        [0xf0, 0x9f],
        [0xed, 0xa0, 0x80],
      ]) {
        const ids = [firstPiece + 1, ...broken.map((byte) => firstByte + byte), firstPiece + 2];
        expect(piecesOf(table, ids).join('')).toBe(`a${'\ufffd'.repeat(broken.length)}b`);
        expect(piecesOf(table, ids).join('')).toBe(await tokenizer.decode(ids));
        expect(piecesOf(table, ids.slice(0, -1)).join('')).toBe(await tokenizer.decode(ids.slice(0, -1)));
      }
    });

    it('given any raw bytes, when pushed, then whole characters stay and no byte is lost', () =>
      fc.assert(
        fc.property(fc.array(fc.nat({ max: 255 }), { maxLength: 12 }), (values) => {
          const text = piecesOf(table, [firstPiece + 1, ...values.map((byte) => firstByte + byte)])
            .join('')
            .slice(1);
          const accounted = [...text].map((c) => (c === '\ufffd' ? 1 : new TextEncoder().encode(c).length));
          // A spelt U+FFFD is three bytes but looks like a broken one.
          if (!Buffer.from(values).includes('\ufffd')) expect(accounted.reduce((a, b) => a + b, 0)).toBe(values.length);
        }),
      ));

    it('given a text that goes on from a prompt, when pushed, then its leading blank stays', () => {
      const leading = firstPiece + 8; // ▁a
      expect(piecesOf(table, [leading, leading]).join('')).toBe('a a');
      expect(piecesOf(table, [leading], { promptTokenIds: [0, leading] }).join('')).toBe(' a');
      expect(piecesOf(table, [leading], { promptTokenIds: [0, 0] }).join('')).toBe('a');
    });
  });

  it('given a decoder that needs several tokens at a time, when the table is made, then it is refused by name', () => {
    for (const decoder of [
      { type: 'BPEDecoder', suffix: '</w>' },
      { type: 'CTC', pad_token: '<pad>', word_delimiter_token: '|', cleanup: true },
      { type: 'Replace', pattern: { Regex: 'a+' }, content: '' },
    ]) {
      const files = sentencePieceFiles(decoder);
      expect(() => TokenTable.fromFiles(files)).toThrow(TextFilesError);
      expect(() => TokenTable.fromFiles(files)).toThrow(decoder.type);
    }
  });
});
