import { readdirSync, readFileSync } from 'node:fs';
import type { TextFiles } from '../src/text-files.js';

const LLAMA = new URL('../../../test/data/models/llama/', import.meta.url);
const TEST_DATA = new URL('../test-data/', import.meta.url);

/** Text files of the tiny llama model: byte-level BPE, 512 ids. */
export function llamaTextFiles(): TextFiles {
  const names = readdirSync(LLAMA).filter((name) => /^(tokenizer|generation_config|chat_template)/.test(name));
  return new Map(names.map((name) => [name, readFileSync(new URL(name, LLAMA))]));
}

export function readTestData(name: string): string {
  return readFileSync(new URL(name, TEST_DATA), 'utf8');
}

/** A recorded file: a line on how it was made, then a line per case. */
export function readGolden<Setup, Case>(name: string): { readonly setup: Setup; readonly cases: readonly Case[] } {
  const [setup, ...cases] = readTestData(name)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { setup, cases };
}

export function textFiles(files: Readonly<Record<string, unknown>>): TextFiles {
  const toText = (content: unknown) => (typeof content === 'string' ? content : JSON.stringify(content));
  return new Map(Object.entries(files).map(([name, content]) => [name, new TextEncoder().encode(toText(content))]));
}

/** A tokenizer.json of the SentencePiece kind, with bytes for what the vocabulary lacks. */
export function sentencePieceFiles(decoder: unknown): TextFiles {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const pieces = ['▁', 'a', 'b', 'é', '€', '日', '🎉', '.', '▁a', '▁▁', 'a▁b', '▁\n'];
  const vocabulary = ['<s>', '</s>', '<extra>', ...bytes, ...pieces];
  const added = (content: string, special: boolean) => ({
    id: vocabulary.indexOf(content),
    content,
    special,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  });
  const merges = [
    ['▁', 'a'],
    ['▁', '▁'],
  ];
  return textFiles({
    'tokenizer.json': {
      version: '1.0',
      added_tokens: [added('<s>', true), added('</s>', true), added('<extra>', false)],
      normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      decoder,
      model: {
        type: 'BPE',
        byte_fallback: true,
        fuse_unk: true,
        vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
        merges,
      },
    },
    'tokenizer_config.json': { bos_token: { content: '<s>' }, eos_token: '</s>' },
  });
}

export const SENTENCE_PIECE_DECODER = {
  type: 'Sequence',
  decoders: [
    { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    { type: 'Strip', content: ' ', start: 1, stop: 0 },
  ],
};
