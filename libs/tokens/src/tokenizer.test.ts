import { describe, expect, it } from 'vitest';
import { llamaTextFiles, readGolden, sentencePieceFiles, textFiles } from '../testing/text-fixtures.js';
import { TextFilesError } from './text-files.js';
import { TextTooLongError, Tokenizer, TooManyTokensError } from './tokenizer.js';

interface EncodeCase {
  readonly text: string;
  readonly ids: readonly number[];
  readonly decoded: string;
  readonly decodedWithSpecial: string;
}

const golden = readGolden<unknown, EncodeCase>('encode-golden.jsonl');
const tokenizer = Tokenizer.fromFiles(llamaTextFiles());

describe('Tokenizer', () => {
  it.each(golden.cases)('encodes and decodes $text as the reference does', async ({ text, ids, ...texts }) => {
    expect([...(await tokenizer.encode(text))]).toEqual(ids);
    expect(await tokenizer.decode(ids)).toBe(texts.decoded);
    expect(await tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(texts.decodedWithSpecial);
  });

  it('knows its size and its special tokens', () => {
    expect(tokenizer.vocabularySize).toBe(512);
    expect(tokenizer.bosTokenId).toBe(0);
    expect(tokenizer.eosTokenId).toBe(1);
  });

  it('given special tokens as objects, when loaded, then their content is looked up', () => {
    const { bosTokenId, eosTokenId } = Tokenizer.fromFiles(sentencePieceFiles(null));
    expect([bosTokenId, eosTokenId]).toEqual([0, 1]);
  });

  it('given lone surrogates, when encoded, then each is a replacement character', async () => {
    for (const text of ['a\ud800b', '\udc00', '\ud83d', 'x\udc00\ud800y']) {
      expect(await tokenizer.encode(text)).toEqual(await tokenizer.encode(text.toWellFormed()));
    }
  });

  it('given a text over the limit, when encoded, then it is refused with both lengths', async () => {
    const short = Tokenizer.fromFiles(llamaTextFiles(), { maxCharacters: 5 });
    expect(await short.encode('12345')).toHaveLength(5);
    await expect(short.encode('123456')).rejects.toThrow(TextTooLongError);
    await expect(short.encode('123456')).rejects.toMatchObject({ characters: 6, maxCharacters: 5 });
  });

  it.each([
    ['prose', 'One thing after another, and no end. '],
    ['digits', '7'],
    ['spaces', ' '],
    ['emoji', '😀'],
  ])(
    'given %s with far more tokens than are of use, then it is refused, and what fits is encoded',
    async (_what, unit) => {
      const limits = { maxTokens: 64 };
      await expect(tokenizer.encode(unit.repeat(100_000 / unit.length), limits)).rejects.toThrow(TooManyTokensError);
      for (const times of [1, 2, 3, 5, 8, 13, 21, 34, 55]) {
        const ids = await tokenizer.encode(unit.repeat(times));
        if (ids.length <= 64) expect(await tokenizer.encode(unit.repeat(times), limits)).toEqual(ids);
      }
    },
  );

  it('given a file that asks for truncation and padding, when a text is encoded, then it stays whole', async () => {
    const file = JSON.parse(new TextDecoder().decode(llamaTextFiles().get('tokenizer.json')));
    file.truncation = { direction: 'Right', max_length: 2, strategy: 'LongestFirst', stride: 0 };
    file.padding = {
      strategy: { Fixed: 8 },
      direction: 'Right',
      pad_to_multiple_of: null,
      pad_id: 2,
      pad_type_id: 0,
      pad_token: '<|pad|>',
    };
    expect(await Tokenizer.fromFiles(textFiles({ 'tokenizer.json': file })).encode('12345')).toHaveLength(5);
  });

  it('given a post-processor that adds bos, when encoded, then it is added unless it was declined', async () => {
    const file = JSON.parse(new TextDecoder().decode(llamaTextFiles().get('tokenizer.json')));
    file.post_processor = {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<|bos|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<|bos|>': { id: '<|bos|>', ids: [0], tokens: ['<|bos|>'] } },
    };
    const withBos = Tokenizer.fromFiles(textFiles({ 'tokenizer.json': file }));
    const plain = [...(await withBos.encode('hi', { addSpecialTokens: false }))];
    expect([...(await withBos.encode('hi'))]).toEqual([0, ...plain]);
  });

  it('given many texts at once, when encoded, then the event loop goes on and each gets its own ids', async () => {
    const texts = Array.from({ length: 32 }, (_, i) => `${i} `.repeat(50));
    const together = await Promise.all(texts.map((text) => tokenizer.encode(text)));
    for (const [i, text] of texts.entries()) expect(together[i]).toEqual(await tokenizer.encode(text));
  });

  it.each([
    [{}, 'tokenizer.json is missing'],
    [{ 'tokenizer.json': '{' }, 'tokenizer.json cannot be loaded'],
    [{ 'tokenizer.json': '{}' }, 'tokenizer.json cannot be loaded'],
    [{ 'tokenizer.json': '{}', 'tokenizer_config.json': '[]' }, 'tokenizer_config.json does not hold a JSON object'],
    [{ 'tokenizer.json': '{}', 'tokenizer_config.json': '{,' }, 'tokenizer_config.json is not valid JSON'],
  ])('given unusable files %j, when loaded, then the error names the file', (files, message) => {
    expect(() => Tokenizer.fromFiles(textFiles(files))).toThrow(TextFilesError);
    expect(() => Tokenizer.fromFiles(textFiles(files))).toThrow(message);
  });

  it('given bytes that are no UTF-8, when loaded, then the error says so', () => {
    const files = new Map([['tokenizer.json', Uint8Array.of(0x7b, 0xff)]]);
    expect(() => Tokenizer.fromFiles(files)).toThrow('tokenizer.json is not valid UTF-8');
  });
});
