import type { IncomingHttpHeaders } from 'node:http';
import { SourceError } from '../errors.js';
import { type HttpClient, type HttpRequest, type HttpResponse, safeUrl, toTransientFailure } from './http-client.js';
import { type RetryPolicy, TransientFailure, withRetries } from './retry.js';

/**
 * What a status other than 2xx means.
 * @returns TransientFailure when it may go better the next time, else SourceError
 */
export function failureOfStatus(response: HttpResponse, now = Date.now()): TransientFailure | SourceError {
  const { status, headers, url } = response;
  const { host } = url;
  if (status === 401 || status === 403) {
    return new SourceError('access-denied', `${host} refuses access (${status}) to ${safeUrl(url)}.`);
  }
  if (status === 404 || status === 410)
    return new SourceError('not-found', `${safeUrl(url)} does not exist (${status}).`);
  if (status === 429) {
    return new TransientFailure(`${host} answers 429, too many requests`, { retryAfterMs: retryAfterMs(headers, now) });
  }
  if (status === 408 || status >= 500) {
    return new TransientFailure(`${host} answers ${status}`, { retryAfterMs: retryAfterMs(headers, now) });
  }
  return new SourceError('malformed', `${host} answers ${status} for ${safeUrl(url)}.`);
}

/** `Retry-After` in seconds or as a date. */
export function retryAfterMs(headers: IncomingHttpHeaders, now: number): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

export interface FetchedText {
  readonly text: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Reads a small document whole.
 * @param judge  turns a status other than 200 into an error; default `failureOfStatus`
 * @throws SourceError, `malformed` when it is larger than maxBytes
 */
export function fetchText(
  client: HttpClient,
  request: HttpRequest,
  policy: RetryPolicy,
  options: { readonly maxBytes: number; readonly judge?: (response: HttpResponse) => Error },
): Promise<FetchedText> {
  return withRetries(
    async () => {
      const response = await client.get(request);
      if (response.status !== 200) {
        response.body.destroy();
        throw (options.judge ?? failureOfStatus)(response);
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      try {
        for await (const chunk of response.body as AsyncIterable<Buffer>) {
          bytes += chunk.length;
          if (bytes > options.maxBytes) {
            throw new SourceError('malformed', `${safeUrl(response.url)} is larger than ${options.maxBytes} bytes.`);
          }
          chunks.push(chunk);
        }
      } catch (error) {
        throw toTransientFailure(error, response.url);
      }
      return { text: Buffer.concat(chunks).toString('utf8'), url: response.url, headers: response.headers };
    },
    policy,
    request.signal,
  );
}
