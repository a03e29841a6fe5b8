import { ApiError } from '#lib/openai';
import { VISIBLE } from './visible.js';

/** Longer than any id or name that administration gives. */
const MAX_LENGTH = 256;

/**
 * Names in a path are checked before any store is asked for them: PostgreSQL takes no NUL, and what is refused here comes into no log.
 * @param params  of the path, decoded
 * @throws ApiError that says which is none
 */
export function assertNames(params: Readonly<Record<string, string>>): void {
  for (const [param, name] of Object.entries(params)) {
    if (name.length <= MAX_LENGTH && VISIBLE.test(name)) continue;
    const expected = `expected 1 to ${MAX_LENGTH} characters, none of them a control character`;
    throw new ApiError('invalid_value', `Invalid '${param}' in the path: ${expected}.`, { param });
  }
}
