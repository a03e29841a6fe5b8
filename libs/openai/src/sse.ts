import { type ApiError, toErrorBody } from './errors.js';

/** The last event of a stream that ended well. */
export const SSE_DONE = 'data: [DONE]\n\n';

/** Keeps proxies and clients from giving up while a request waits; clients ignore comments. */
export const SSE_KEEP_ALIVE = ': keep-alive\n\n';

export function sseEvent(body: object): string {
  return `data: ${jsonText(body)}\n\n`;
}

/** The last event of a stream that broke off; no `[DONE]` follows. */
export function sseError(error: ApiError): string {
  return sseEvent(toErrorBody(error));
}

/** A JSON string literal that no client takes for several lines. */
export function jsonString(text: string): string {
  return escapeLineEnds(JSON.stringify(text));
}

/** JSON of a whole object, on one line for every client. */
export function jsonText(body: object): string {
  return escapeLineEnds(JSON.stringify(body));
}

const UNICODE_LINE_ENDS = /[\u0085\u2028\u2029]/g;

/**
 * `JSON.stringify` escapes U+0000 to U+001F and lone surrogates. U+0085, U+2028 and U+2029 are fine in JSON and in
 * server-sent events, but clients that split lines by Unicode's rules (Python's `str.splitlines`) would cut an event there.
 */
function escapeLineEnds(json: string): string {
  return json.replace(UNICODE_LINE_ENDS, (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
