/**
 * The files that turn text into token ids and back, by name: `tokenizer.json`, and where a model has them
 * `tokenizer_config.json`, `special_tokens_map.json`, `chat_template.jinja`, `additional_chat_templates/default.jinja` and
 * `…/tool_use.jinja`, `generation_config.json`. Other names are ignored.
 */
export type TextFiles = ReadonlyMap<string, Uint8Array>;

/** A text file is missing, is not what its name says, or asks for something we do not know. */
export class TextFilesError extends Error {
  override readonly name = 'TextFilesError';

  constructor(
    readonly fileName: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`${fileName} ${reason}.`, options);
  }
}

export type JsonObject = { readonly [key: string]: unknown };

/** @returns the file's text, `undefined` when there is no such file */
export function readText(files: TextFiles, fileName: string): string | undefined {
  const bytes = files.get(fileName);
  if (bytes === undefined) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TextFilesError(fileName, 'is not valid UTF-8', { cause });
  }
}

/** @returns the file's JSON object, `undefined` when there is no such file */
export function readJsonObject(files: TextFiles, fileName: string): JsonObject | undefined {
  const text = readText(files, fileName);
  return text === undefined ? undefined : parseJsonObject(text, fileName);
}

/** @throws TextFilesError when the text is no JSON object */
export function parseJsonObject(text: string, fileName: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TextFilesError(fileName, 'is not valid JSON', { cause });
  }
  if (!isJsonObject(value)) throw new TextFilesError(fileName, 'does not hold a JSON object');
  return value;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
