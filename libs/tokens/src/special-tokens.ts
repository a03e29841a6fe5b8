import { isJsonObject, readJsonObject, type TextFiles } from './text-files.js';

/** Names under which tokenizer_config.json keeps special tokens; chat templates see them as variables. */
const NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const;

export type SpecialTokenName = (typeof NAMES)[number];

/** The text of the special tokens a model names; a name it does not use is absent. */
export type SpecialTokens = { readonly [name in SpecialTokenName]?: string };

/**
 * Reads tokenizer_config.json, where each is a string or an object with `content`. As in transformers, special_tokens_map.json has the last word
 * for models from before the configuration held `added_tokens_decoder`, and none for later ones, which write it for old readers only.
 */
export function readSpecialTokens(files: TextFiles): SpecialTokens {
  const own = readJsonObject(files, 'tokenizer_config.json') ?? {};
  const isLater = 'added_tokens_decoder' in own;
  const config = isLater ? own : { ...own, ...readJsonObject(files, 'special_tokens_map.json') };
  const tokens: { [name in SpecialTokenName]?: string } = {};
  for (const name of NAMES) {
    const token = tokenText(config[name]);
    if (token !== undefined) tokens[name] = token;
  }
  return tokens;
}

function tokenText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (isJsonObject(value) && typeof value['content'] === 'string') return value['content'];
  return undefined;
}
