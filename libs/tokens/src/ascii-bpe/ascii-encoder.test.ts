import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { llamaTextFiles, sentencePieceFiles, textFiles } from '../../testing/text-fixtures.js';
import { syntheticTextFiles } from '../synthetic-tokenizer.js';
import { readText, type TextFiles } from '../text-files.js';
import { Tokenizer } from '../tokenizer.js';
import { AsciiEncoder } from './ascii-encoder.js';

type File = Record<string, unknown> & { model: Record<string, unknown>; added_tokens: Record<string, unknown>[] };

const LLAMA_3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
const TEMPLATE = {
  type: 'TemplateProcessing',
  single: [
    { SpecialToken: { id: 'b', type_id: 0 } },
    { Sequence: { id: 'A', type_id: 0 } },
    { SpecialToken: { id: 'e', type_id: 0 } },
  ],
  pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
  special_tokens: { b: { id: 'b', ids: [0], tokens: ['<|bos|>'] }, e: { id: 'e', ids: [1], tokens: ['<|eos|>'] } },
};

function changed(change: (file: File) => void): TextFiles {
  const file: File = JSON.parse(readText(llamaTextFiles(), 'tokenizer.json') ?? '');
  change(file);
  return textFiles({ 'tokenizer.json': file });
}

const split = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });
const sequence = (...pretokenizers: unknown[]) => ({ type: 'Sequence', pretokenizers });

const KNOWN: Record<string, TextFiles> = {
  'digits and words': llamaTextFiles(),
  'bytes without merges': syntheticTextFiles(),
  "Llama 3's pieces": changed((file) => {
    file['pre_tokenizer'] = sequence(split(LLAMA_3), BYTE_LEVEL);
  }),
  'runs of digits, a blank before each run of text, and a template around it': changed((file) => {
    const digits = { type: 'Digits', individual_digits: false };
    file['pre_tokenizer'] = sequence(digits, { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true });
    file['post_processor'] = { type: 'Sequence', processors: [{ ...BYTE_LEVEL }, TEMPLATE] };
  }),
  'whole words that are tokens': changed((file) => {
    file.model['ignore_merges'] = true;
  }),
  'merges of a letter with itself and of what they give': changed((file) => {
    const { vocab, merges } = file.model as { vocab: Record<string, number>; merges: unknown[] };
    for (const [left, right] of [
      ['z', 'z'],
      ['zz', 'z'],
      ['q', 'z'],
      ['zz', 'q'],
      ['zz', 'zz'],
    ] as const) {
      vocab[left + right] ??= 600 + merges.length;
      merges.unshift([left, right]);
    }
  }),
  'a normalizer that leaves ASCII as it is': changed((file) => {
    file['normalizer'] = { type: 'NFC' };
  }),
  'added tokens that take blanks, and tokens within tokens': changed((file) => {
    const plain = { special: false, single_word: false, lstrip: false, rstrip: false, normalized: false };
    const first = Math.max(
      ...file.added_tokens.map(({ id }) => Number(id)),
      ...Object.values(file.model['vocab'] as object).map(Number),
    );
    file.added_tokens.push(
      { ...plain, id: first + 1, content: '<|bos|><|eos|>' },
      { ...plain, id: first + 2, content: 'ab' },
    );
    file.added_tokens.push({ ...plain, id: first + 3, content: '[x]', lstrip: true, rstrip: true });
    file.added_tokens.push({ ...plain, id: first + 4, content: 'the', single_word: true, normalized: true });
  }),
};

const WORDS = [
  'the',
  'ab',
  'a',
  "don't",
  "WE'LL",
  '2026',
  '1',
  ' ',
  '  ',
  '\n',
  '\r\n',
  '\t',
  '.',
  '<|bos|>',
  '<|eos|>',
  '<|',
  '|>',
  '[x]',
  '<|bos|><|eos|>',
];
const texts = fc.oneof(
  fc
    .array(fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 6 })), { maxLength: 24 })
    .map((words) => words.join('')),
  fc.string({ unit: 'binary-ascii', maxLength: 200 }),
  fc.string({ unit: fc.constantFrom('z', 'z', 'q', 'a', ' ', '1'), maxLength: 40 }),
);
/** Several times what is encoded in a turn, of words that none of the tokenizers leaves to the other way. */
const longTexts = fc
  .array(fc.constantFrom(...WORDS.filter((word) => word !== 'the' && word !== '[x]')), { minLength: 20, maxLength: 40 })
  .map((words) => `${words.join(' and ')}\n`.repeat(Math.ceil(8_192 / words.join(' and ').length)));

describe('AsciiEncoder', () => {
  it.each(Object.entries(KNOWN))(
    "given %s, when any text is encoded, then the ids are the reference's",
    async (_name, files) => {
      const reference = Tokenizer.fromFiles(files);
      const encoder = await AsciiEncoder.read(readText(files, 'tokenizer.json') ?? '');
      let encoded = 0;
      await fc.assert(
        fc.asyncProperty(texts, fc.boolean(), async (text, addSpecialTokens) => {
          const ids = encoder?.encode(text, addSpecialTokens);
          if (ids === undefined) return;
          encoded++;
          expect(ids).toEqual(await reference.encode(text, { addSpecialTokens }));
          expect(await encoder?.encodeInTurns(text, addSpecialTokens)).toEqual(ids);
        }),
        { numRuns: 400 },
      );
      expect(encoded).toBeGreaterThan(100);
      expect(await Tokenizer.fromFiles(files).encodeHere()).toBe(true);
    },
  );

  it.each(Object.entries(KNOWN))(
    "given %s, when texts of several pieces are encoded in turns, then the ids are the reference's",
    async (_name, files) => {
      const reference = Tokenizer.fromFiles(files);
      const encoder = await AsciiEncoder.read(readText(files, 'tokenizer.json') ?? '');
      await fc.assert(
        fc.asyncProperty(longTexts, fc.boolean(), async (text, addSpecialTokens) => {
          const ids = await encoder?.encodeInTurns(text, addSpecialTokens);
          expect(ids).toEqual(await reference.encode(text, { addSpecialTokens }));
        }),
        { numRuns: 20 },
      );
    },
  );

  it.each<[string, TextFiles]>([
    ['SentencePiece', sentencePieceFiles(null)],
    [
      'a normalizer that changes ASCII',
      changed((file) => {
        file['normalizer'] = { type: 'Lowercase' };
      }),
    ],
    [
      'pieces that are not in the byte-level alphabet',
      changed((file) => {
        file['pre_tokenizer'] = { type: 'Whitespace' };
      }),
    ],
    [
      'a pattern that JavaScript reads otherwise',
      changed((file) => {
        file['pre_tokenizer'] = sequence(split('^a|.'), BYTE_LEVEL);
      }),
    ],
    [
      'a pattern that JavaScript cannot read',
      changed((file) => {
        file['pre_tokenizer'] = sequence(split('\\p{L}++|\\h'), BYTE_LEVEL);
      }),
    ],
    [
      'ends of words',
      changed((file) => {
        file.model['end_of_word_suffix'] = '</w>';
      }),
    ],
    [
      'a template that names an unknown token',
      changed((file) => {
        file['post_processor'] = { ...TEMPLATE, special_tokens: {} };
      }),
    ],
  ])('given %s, when read, then it is left to the other way', async (_name, files) => {
    expect(await AsciiEncoder.read(readText(files, 'tokenizer.json') ?? '')).toBeUndefined();
  });

  it.each([
    ['other characters than ASCII', 'caf\u00e9'],
    ['a piece longer than pieces of text are', 'x'.repeat(200)],
  ])('given %s, when encoded, then it is left to the other way', async (_name, text) => {
    const encoder = await AsciiEncoder.read(readText(llamaTextFiles(), 'tokenizer.json') ?? '');
    expect(encoder?.encode(text, true)).toBeUndefined();
    expect(await encoder?.encodeInTurns(text, true)).toBeUndefined();
    expect(encoder?.encode('plain', true)).toBeDefined();
  });

  it('given more words than are kept, when encoded again, then they have the same ids', async () => {
    const encoder = await AsciiEncoder.read(readText(llamaTextFiles(), 'tokenizer.json') ?? '');
    const word = (index: number) => `w${index.toString(36).replaceAll(/[0-9]/g, 'q')}`;
    const all = () => Array.from({ length: 10_000 }, (_, index) => encoder?.encode(word(index), false));
    expect(all()).toEqual(all());
  });
});
