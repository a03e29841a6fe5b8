import { UnsupportedModelError } from './errors.js';

export type JsonObject = { readonly [key: string]: unknown };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * @param fileName  the file the text is from
 * @param model     how errors call the model
 */
export function parseJsonObject(text: string, fileName: string, model: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new UnsupportedModelError(model, `${fileName} is not valid JSON`, { cause });
  }
  if (!isJsonObject(value)) throw new UnsupportedModelError(model, `${fileName} does not hold a JSON object`);
  return value;
}
