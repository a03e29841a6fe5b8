import { UnsupportedModelError } from '../errors.js';
import type { GgufHeader } from '../gguf-header.js';
import { beginEndProcessor } from './begin-end-tokens.js';
import type { GgufVocabulary } from './gguf-vocabulary.js';

/** How a family of byte-level BPE tokenizers cuts a text into words before it merges. */
interface WordRules {
  readonly pre_tokenizer: object;
  readonly normalizer?: object;
  /** Whether a word that is a token is taken whole, without merging. */
  readonly ignoresMerges?: boolean;
  readonly addsBos?: boolean;
}

const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

/** GPT-2's words, after digits were taken apart one by one. */
const DIGITS_THEN_WORDS: WordRules = {
  pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, BYTE_LEVEL] },
};

/** Words as the tiktoken family cuts them; `digits` is how many digits may stay together. */
function tiktokenWords(digits: string): object {
  const pattern = [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
    '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+',
    digits,
    ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*',
    '\\s*[\\r\\n]+',
    '\\s+(?!\\S)',
    '\\s+',
  ].join('|');
  return {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
      { ...BYTE_LEVEL, use_regex: false },
    ],
  };
}

/** By `tokenizer.ggml.pre`. A family more is a line more; its rules are those of its tokenizer.json on the hub. */
const WORD_RULES: Readonly<Record<string, WordRules>> = {
  default: { pre_tokenizer: BYTE_LEVEL },
  'gpt-2': { pre_tokenizer: BYTE_LEVEL },
  smollm: DIGITS_THEN_WORDS,
  starcoder: DIGITS_THEN_WORDS,
  'llama-bpe': { pre_tokenizer: tiktokenWords('\\p{N}{1,3}'), ignoresMerges: true, addsBos: true },
  qwen2: { pre_tokenizer: tiktokenWords('\\p{N}'), normalizer: { type: 'NFC' } },
};

/** Other spellings that files carry. */
const SAME_AS: Readonly<Record<string, string>> = { gpt2: 'gpt-2', llama3: 'llama-bpe', 'llama-v3': 'llama-bpe' };

/** @returns the content of a tokenizer.json for byte-level BPE */
export function byteLevelTokenizer(header: GgufHeader, vocabulary: GgufVocabulary): object {
  const kind = header.string('tokenizer.ggml.pre') ?? 'default';
  const rules = WORD_RULES[SAME_AS[kind] ?? kind];
  if (rules === undefined) {
    const known = Object.keys(WORD_RULES).join(', ');
    throw new UnsupportedModelError(
      header.path,
      `its pre-tokenizer ${JSON.stringify(kind)} is not known; known are ${known}`,
    );
  }
  const merges = header.required('tokenizer.ggml.merges', header.strings('tokenizer.ggml.merges'));
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: vocabulary.addedTokens(),
    normalizer: rules.normalizer ?? null,
    pre_tokenizer: rules.pre_tokenizer,
    post_processor: beginEndProcessor(header, vocabulary, { addsBos: rules.addsBos ?? false }),
    decoder: { ...BYTE_LEVEL, add_prefix_space: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: rules.ignoresMerges ?? false,
      vocab: Object.fromEntries(vocabulary.byToken()),
      merges: merges.map((merge) => toPair(merge, header.path)),
    },
  };
}

function toPair(merge: string, path: string): readonly [string, string] {
  const space = merge.indexOf(' ', 1);
  if (space < 0) throw new UnsupportedModelError(path, `its merge ${JSON.stringify(merge)} is not a pair of tokens`);
  return [merge.slice(0, space), merge.slice(space + 1)];
}
