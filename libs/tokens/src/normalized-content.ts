import { isJsonObject } from './text-files.js';

/**
 * What an added token with `normalized: true` is in a text: tokenizers find it in the normalized text, so they write it so, too.
 * @param normalizer  of tokenizer.json; parts of it that are not known here leave the content as it is
 */
export function normalizedContent(normalizer: unknown, content: string): string {
  if (!isJsonObject(normalizer)) return content;
  switch (normalizer['type']) {
    case 'Sequence': {
      const { normalizers } = normalizer;
      return Array.isArray(normalizers)
        ? normalizers.reduce((text, one) => normalizedContent(one, text), content)
        : content;
    }
    case 'Prepend':
      return content === '' ? content : `${String(normalizer['prepend'])}${content}`;
    case 'Replace': {
      const { pattern, content: by } = normalizer;
      const from = isJsonObject(pattern) ? pattern['String'] : undefined;
      return typeof from === 'string' && from !== '' ? content.replaceAll(from, () => String(by)) : content;
    }
    case 'Lowercase':
      return content.toLowerCase();
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return content.normalize(normalizer['type']);
    default:
      return content;
  }
}
