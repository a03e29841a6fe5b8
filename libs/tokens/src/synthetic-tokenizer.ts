import { BYTE_CHARACTERS } from './byte-alphabet.js';
import type { TextFiles } from './text-files.js';

/** In the order of their ids, after the 256 bytes. */
export const SYNTHETIC_SPECIAL_TOKENS = ['<|bos|>', '<|eos|>', '<|user|>', '<|assistant|>', '<|system|>'] as const;

const CHAT_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{{ eos_token }}" +
  '{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}';

/**
 * Text files of a model that needs none: one token per byte of UTF-8 (id = byte), then the special tokens, and a chat
 * template that writes the role as a token. The same bytes at every call.
 */
export function syntheticTextFiles(): TextFiles {
  const bosId = 256;
  const eosId = 257;
  const vocabulary = Object.fromEntries(
    [...BYTE_CHARACTERS, ...SYNTHETIC_SPECIAL_TOKENS].map((token, id) => [token, id]),
  );
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SYNTHETIC_SPECIAL_TOKENS.map((content, index) => ({
      id: BYTE_CHARACTERS.length + index,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: vocabulary,
      merges: [],
    },
  };
  const tokenizerConfig = { bos_token: '<|bos|>', eos_token: '<|eos|>' };
  const generationConfig = { bos_token_id: bosId, eos_token_id: eosId };
  return new Map([
    ['tokenizer.json', toBytes(JSON.stringify(tokenizer))],
    ['tokenizer_config.json', toBytes(JSON.stringify(tokenizerConfig))],
    ['generation_config.json', toBytes(JSON.stringify(generationConfig))],
    ['chat_template.jinja', toBytes(CHAT_TEMPLATE)],
  ]);
}

function toBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
