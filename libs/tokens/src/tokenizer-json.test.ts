import { describe, expect, it } from 'vitest';
import { llamaTextFiles, textFiles } from '../testing/text-fixtures.js';
import { TokenTable } from './token-table.js';
import { Tokenizer } from './tokenizer.js';
import { readTokenizerJson } from './tokenizer-json.js';

const FLAGS = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
const TEXT = 'a<new>b<newer>c';

function withConfig(config: object) {
  return new Map([...llamaTextFiles(), ...textFiles({ 'tokenizer_config.json': config })]);
}

describe('readTokenizerJson', () => {
  it('given tokens that tokenizer_config.json adds, then they are numbered on in the order of their ids, for reading and for writing', async () => {
    // transformers 5.24 does not take the ids that are written there, either: 512 and 513 are the next ones.
    const files = withConfig({
      eos_token: '<|eos|>',
      added_tokens_decoder: {
        '1000': { ...FLAGS, content: '<newer>', special: false },
        '910': { ...FLAGS, content: '<new>' },
      },
    });
    const tokenizer = Tokenizer.fromFiles(files);
    const ids = await tokenizer.encode(TEXT, { addSpecialTokens: false });
    const [a, b, c] = await Promise.all(
      ['a', 'b', 'c'].map((letter) => tokenizer.encode(letter, { addSpecialTokens: false })),
    );
    expect(ids).toEqual([...a!, 512, ...b!, 513, ...c!]);
    const table = TokenTable.fromFiles(files);
    expect([table.text(512), table.text(513)]).toEqual(['<new>', '<newer>']);
    expect([table.isSpecial(512), table.isSpecial(513)]).toEqual([true, false]);
    expect(await tokenizer.encodeHere()).toBe(true);
    expect(await tokenizer.encode(TEXT, { addSpecialTokens: false })).toEqual(ids);
  });

  it('given a token of the vocabulary, then it keeps its id; one that is listed is not listed twice', () => {
    const source = readTokenizerJson(llamaTextFiles())!;
    const [word, id] = Object.entries(JSON.parse(source).model.vocab as Record<string, number>).at(-1)!;
    const files = withConfig({
      added_tokens_decoder: { '1': { ...FLAGS, content: '<|eos|>' }, '7': { ...FLAGS, content: word } },
    });
    const listed = JSON.parse(readTokenizerJson(files)!).added_tokens as { id: number; content: string }[];
    expect(listed.at(-1)).toEqual({ ...FLAGS, id, content: word });
    expect(listed.filter(({ content }) => content === '<|eos|>')).toHaveLength(1);
  });

  it('given nothing to add, then the file is as it stands', () => {
    const source = new TextDecoder().decode(llamaTextFiles().get('tokenizer.json'));
    expect(readTokenizerJson(llamaTextFiles())).toBe(source);
    expect(readTokenizerJson(withConfig({ added_tokens_decoder: { '1': { ...FLAGS, content: '<|eos|>' } } }))).toBe(
      source,
    );
    expect(readTokenizerJson(withConfig({ added_tokens_decoder: ['odd'] }))).toBe(source);
    expect(readTokenizerJson(new Map())).toBeUndefined();
  });
});
