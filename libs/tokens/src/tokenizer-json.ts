import { isJsonObject, type JsonObject, readJsonObject, readText, type TextFiles } from './text-files.js';

/**
 * tokenizer.json with the tokens that tokenizer_config.json adds to it (`added_tokens_decoder`), as transformers does: in the order of their ids there, each with the id
 * that it has in the vocabulary, else the next free one.
 * @returns `undefined` when there is no tokenizer.json
 * @throws TextFilesError when one of the two is not JSON
 */
export function readTokenizerJson(files: TextFiles): string | undefined {
  const source = readText(files, 'tokenizer.json');
  if (source === undefined) return undefined;
  const missing = configuredTokens(files).filter(({ content }) => !listsContent(source, content));
  if (missing.length === 0) return source;
  const file = readJsonObject(files, 'tokenizer.json')!; // it is there
  const given: readonly unknown[] = Array.isArray(file['added_tokens']) ? file['added_tokens'] : [];
  const listed = [...given];
  const model = isJsonObject(file['model']) ? file['model'] : {};
  for (const { content, token } of missing) {
    if (listed.some((one) => isJsonObject(one) && one['content'] === content)) continue;
    listed.push({ ...FLAGS, ...token, id: idIn(model, content) ?? nextId(model, listed), content });
  }
  if (listed.length === given.length) return source;
  return JSON.stringify({ ...file, added_tokens: listed });
}

interface ConfiguredToken {
  readonly content: string;
  readonly token: JsonObject;
}

/** What a token is when nothing else is said. */
const FLAGS = { single_word: false, lstrip: false, rstrip: false, normalized: true, special: false };

function configuredTokens(files: TextFiles): readonly ConfiguredToken[] {
  const decoder = readJsonObject(files, 'tokenizer_config.json')?.['added_tokens_decoder'];
  if (!isJsonObject(decoder)) return [];
  return Object.keys(decoder)
    .sort((a, b) => Number(a) - Number(b))
    .map((id) => decoder[id])
    .filter(isJsonObject)
    .flatMap((token) => {
      const { content } = token;
      if (typeof content !== 'string' || content === '') return [];
      const flags = Object.keys(FLAGS).filter((flag) => typeof token[flag] === 'boolean');
      return [{ content, token: Object.fromEntries(flags.map((flag) => [flag, token[flag]])) }];
    });
}

/** A look at the text alone, which is many megabytes: false may mean that it is written otherwise. */
function listsContent(source: string, content: string): boolean {
  const text = JSON.stringify(content);
  return source.includes(`"content": ${text}`) || source.includes(`"content":${text}`);
}

function idIn(model: JsonObject, token: string): number | undefined {
  const { vocab } = model;
  if (Array.isArray(vocab)) {
    const id = vocab.findIndex((entry) => Array.isArray(entry) && entry[0] === token);
    return id < 0 ? undefined : id;
  }
  const id = isJsonObject(vocab) && Object.hasOwn(vocab, token) ? vocab[token] : undefined;
  return typeof id === 'number' ? id : undefined;
}

function nextId(model: JsonObject, listed: readonly unknown[]): number {
  const { vocab } = model;
  const size = Array.isArray(vocab) ? vocab.length : Object.keys(isJsonObject(vocab) ? vocab : {}).length;
  const ids = listed.map((one) => (isJsonObject(one) ? Number(one['id']) + 1 : 0));
  return Math.max(size, ...ids);
}
