import { describe, expect, it } from 'vitest';
import { llamaTextFiles, SENTENCE_PIECE_DECODER, sentencePieceFiles, textFiles } from '../testing/text-fixtures.js';
import { TextFilesError } from './text-files.js';
import { TokenTable } from './token-table.js';
import { Tokenizer } from './tokenizer.js';

const table = TokenTable.fromFiles(llamaTextFiles());

describe('TokenTable', () => {
  it('given the bytes of all tokens of a text, then together they are the text', async () => {
    const text = 'Ærøskøbing, 日本 🎉\u0000\t½';
    const ids = await Tokenizer.fromFiles(llamaTextFiles()).encode(text);
    expect(Buffer.concat([...ids].map((id) => table.bytes(id))).toString()).toBe(text);
  });

  it('flags special tokens, and knows which ids there are', () => {
    expect(table.size).toBe(512);
    expect([table.isSpecial(0), table.isSpecial(5), table.isSpecial(6)]).toEqual([true, true, false]);
    expect([table.has(511), table.has(512), table.has(-1), table.has(0.5)]).toEqual([true, false, false, false]);
    expect(table.text(1)).toBe('<|eos|>');
    expect(table.eosTokenId).toBe(1);
  });

  it('given an unknown id, then it has no bytes and no text', () => {
    for (const id of [512, 99_999_999, -1]) {
      expect(table.bytes(id)).toHaveLength(0);
      expect(table.text(id)).toBe('');
      expect(table.isSpecial(id)).toBe(false);
    }
  });

  it('given an added token that is not in the byte alphabet, then its text is taken as it stands', async () => {
    const file = JSON.parse(new TextDecoder().decode(llamaTextFiles().get('tokenizer.json')));
    const shape = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
    file.added_tokens.push({ ...shape, id: 512, content: 'two wörds' }, { ...shape, id: 513, content: 'aĠb' });
    const files = textFiles({ 'tokenizer.json': file });
    const added = TokenTable.fromFiles(files);
    expect([added.text(512), added.text(513)]).toEqual(['two wörds', 'a b']);
    expect(await Tokenizer.fromFiles(files).decode([512, 513])).toBe('two wördsa b');
  });

  it.each<[string, { id: number; content: string }[], Record<string, number>?]>([
    ['an added token', [{ id: 3, content: '</s>' }], { '<unk>': 0, the: 1, a: 2 }],
    ['an added token and in the vocabulary', [{ id: 3, content: '</s>' }]],
    ['in the vocabulary, with an id that an added token takes', [{ id: 1, content: 'another' }]],
    ['not there', [], { '<unk>': 0, the: 1 }],
  ])(
    'given an end token that is %s, then its id is the one that the tokenizer has',
    (_, tokens, vocab = { '<unk>': 0, '</s>': 1, the: 2 }) => {
      const shape = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
      const tokenizer = {
        version: '1.0',
        added_tokens: tokens.map((token) => ({ ...shape, ...token })),
        model: { type: 'WordLevel', vocab, unk_token: '<unk>' },
      };
      const files = textFiles({ 'tokenizer.json': tokenizer, 'tokenizer_config.json': { eos_token: '</s>' } });
      expect(TokenTable.fromFiles(files).eosTokenId).toBe(Tokenizer.fromFiles(files).eosTokenId);
    },
  );

  it.each<[string, object]>([
    ['puts a blank before', { type: 'Prepend', prepend: '▁' }],
    [
      'puts a blank before and replaces those within',
      {
        type: 'Sequence',
        normalizers: [
          { type: 'Prepend', prepend: '▁' },
          { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
        ],
      },
    ],
    ['makes small letters', { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Lowercase' }] }],
    ['is of a kind that is not known here', { type: 'StripAccents' }],
  ])(
    'given an added token that is normalized, when the normalizer %s, then it is written as the tokenizer writes it',
    async (_, normalizer) => {
      const given = sentencePieceFiles(SENTENCE_PIECE_DECODER);
      const file = JSON.parse(new TextDecoder().decode(given.get('tokenizer.json')));
      const shape = { single_word: false, lstrip: false, rstrip: false, special: false };
      file.normalizer = normalizer;
      const next = Object.keys(file.model.vocab).length;
      file.added_tokens.push({ ...shape, id: next, content: 'The ﬁrm', normalized: true });
      file.added_tokens.push({ ...shape, id: next + 1, content: 'As IS', normalized: false });
      const files = new Map([...given, ...textFiles({ 'tokenizer.json': file })]);
      const tokens = TokenTable.fromFiles(files);
      const tokenizer = Tokenizer.fromFiles(files);
      const ids = [file.model.vocab.b, next, next + 1, next];
      const texts = ids.map((id, at) => new TextDecoder().decode(tokens.bytes(id, at === 0)));
      expect(texts.join('')).toBe(await tokenizer.decode(ids));
    },
  );

  it('given raw bytes, then they are flagged and are that byte', () => {
    const pieces = TokenTable.fromFiles(sentencePieceFiles(SENTENCE_PIECE_DECODER));
    expect(pieces.isRawByte(3 + 0xe2)).toBe(true);
    expect([...pieces.bytes(3 + 0xe2)]).toEqual([0xe2]);
    expect(pieces.isRawByte(3 + 256)).toBe(false);
    expect(pieces.text(3 + 256)).toBe(' ');
  });

  it('given a Unigram vocabulary, then the place in the list is the id', () => {
    const model = {
      type: 'Unigram',
      unk_id: 0,
      vocab: [
        ['<unk>', 0],
        ['▁the', -1.5],
        ['s', -2],
      ],
    };
    const decoder = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' };
    const unigram = TokenTable.fromFiles(textFiles({ 'tokenizer.json': { model, decoder } }));
    expect([unigram.text(1), unigram.text(2)]).toEqual([' the', 's']);
    expect(unigram.bytes(1, true)).toEqual(new TextEncoder().encode('the'));
  });

  it.each([
    [{}, 'tokenizer.json is missing'],
    [{ 'tokenizer.json': { model: {} } }, 'has no vocabulary'],
    [{ 'tokenizer.json': { model: { vocab: { a: -1 } } } }, 'token id -1'],
    [{ 'tokenizer.json': { model: { vocab: { a: 4e9 } } } }, 'token id 4000000000'],
    [{ 'tokenizer.json': { model: { vocab: {} }, added_tokens: [{ content: 'x' }] } }, 'token id undefined'],
  ])('given unusable files %j, when made, then the error says why', (files, message) => {
    expect(() => TokenTable.fromFiles(textFiles(files))).toThrow(TextFilesError);
    expect(() => TokenTable.fromFiles(textFiles(files))).toThrow(message);
  });
});
