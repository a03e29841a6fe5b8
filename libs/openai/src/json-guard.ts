import { isAscii, isUtf8 } from 'node:buffer';
import { ApiError } from './errors.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Chosen: ten times what the longest sensible conversation has; an array costs 16 times its two bytes once it is parsed. */
const MAX_CONTAINERS = 262_144;

/**
 * Parses the body of a request, whatever was sent, in time and memory linear in its size (which the server caps).
 *
 * The depth is checked on the bytes, before anything is built: `JSON.parse` takes 100,000 nested arrays, but what later
 * walks such a value (`JSON.stringify`, a logger) does not. `__proto__` keys are plain own properties of the result;
 * nothing here or after it copies keys it does not know. Lone surrogates (`"\ud800"`) are kept by `JSON.parse`; every text
 * that goes on is made well formed (U+FFFD) where it is read.
 *
 * @param maxDepth  deepest nesting of arrays and objects; their number is bounded, too
 * @throws ApiError invalid_json or too_deep
 */
export function parseJsonBody(bytes: Uint8Array, maxDepth: number): Record<string, unknown> {
  if (bytes.length === 0) throw new ApiError('invalid_json', 'The request body is empty; a JSON object is expected.');
  if (!isUtf8(bytes)) throw new ApiError('invalid_json', 'The request body is not valid UTF-8.');
  assertShape(bytes, maxDepth);
  const value = parse(bytes);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ApiError('invalid_json', 'The request body must be a JSON object.');
  }
  return value as Record<string, unknown>; // an object, not null, not an array
}

function parse(bytes: Uint8Array): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = isAscii(bytes) ? buffer.toString('latin1') : withoutByteOrderMark(buffer.toString('utf8'));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiError('invalid_json', `The request body is not valid JSON${position(error)}.`, { cause: error });
  }
}

/** Depth and number of arrays and objects, by the brackets outside strings. Broken JSON may be miscounted, which `JSON.parse` then says better. */
function assertShape(bytes: Uint8Array, maxDepth: number): void {
  let depth = 0;
  let containers = 0;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at++;
        while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        depth++;
        containers++;
        if (depth > maxDepth) {
          throw new ApiError('too_deep', `The request body is nested deeper than ${maxDepth} levels.`);
        }
        if (containers > MAX_CONTAINERS) {
          throw new ApiError('too_deep', `The request body has more than ${MAX_CONTAINERS} arrays and objects.`);
        }
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        depth--;
        break;
    }
  }
}

function withoutByteOrderMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/** V8 quotes the body in its message; only the place is passed on. */
function position(error: unknown): string {
  const found = error instanceof Error ? /at position \d+/.exec(error.message) : null;
  return found === null ? '' : ` (${found[0]})`;
}
