import { SourceError } from '../errors.js';
import { isJsonObject } from '../json-object.js';
import { safeUrl } from '../net/http-client.js';
import type { FetchedText } from '../net/status.js';

/** A file of a package as an index lists it. */
export interface IndexedFile {
  readonly fileName: string;
  readonly url: URL;
  readonly sha256?: string;
  readonly bytes?: number;
}

/** JSON where the index speaks it, HTML where it does not. */
export const SIMPLE_API_ACCEPT =
  'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1';

/** Names are equal when they are so in this form. @see https://packaging.python.org/specifications/name-normalization/ */
export function normalizedName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, '-');
}

/**
 * Reads a project's page of an index in either form.
 * @see https://packaging.python.org/en/latest/specifications/simple-repository-api/
 */
export function parseProjectPage(page: FetchedText): IndexedFile[] {
  return /[/+]json/.test(page.headers['content-type'] ?? '') ? parseJson(page) : parseHtml(page.text, page.url);
}

function parseJson({ text, url }: FetchedText): IndexedFile[] {
  let files: unknown;
  try {
    files = (JSON.parse(text) as { files?: unknown } | null)?.files;
  } catch (cause) {
    throw new SourceError('malformed', `${safeUrl(url)} is not valid JSON.`, { cause });
  }
  if (!Array.isArray(files)) throw new SourceError('malformed', `${safeUrl(url)} lists no files.`);
  return files.filter(isJsonObject).flatMap((file) => {
    const link = typeof file['url'] === 'string' ? URL.parse(file['url'], url.href) : null;
    if (typeof file['filename'] !== 'string' || link === null) return [];
    const sha256 = isJsonObject(file['hashes']) ? file['hashes']['sha256'] : undefined;
    return [
      {
        fileName: file['filename'],
        url: link,
        sha256: typeof sha256 === 'string' ? sha256.toLowerCase() : undefined,
        bytes: Number.isSafeInteger(file['size']) ? (file['size'] as number) : undefined,
      },
    ];
  });
}

/** Every link of a page; a hash may stand in the link's fragment. */
export function parseHtml(html: string, pageUrl: URL): IndexedFile[] {
  const base = attribute(/<base\b([^>]*)>/i.exec(html)?.[1] ?? '', 'href');
  const baseUrl = (base === undefined ? null : URL.parse(base, pageUrl.href)) ?? pageUrl;
  return [...html.matchAll(/<a\b([^>]*)>/gi)].flatMap(([, attributes]) => {
    const href = attribute(attributes ?? '', 'href');
    const url = href === undefined ? null : URL.parse(href, baseUrl.href);
    if (url === null) return [];
    const sha256 = /^#sha256=([0-9a-fA-F]{64})/.exec(url.hash)?.[1]?.toLowerCase();
    const fileName = decodeSafely(url.pathname.split('/').at(-1) ?? '');
    url.hash = '';
    return [{ fileName, url, sha256 }];
  });
}

function attribute(attributes: string, name: string): string | undefined {
  const match = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(attributes);
  const value = match?.[1] ?? match?.[2] ?? match?.[3];
  return value
    ?.replaceAll('&quot;', '"')
    .replaceAll(/&#(?:39|x27);/gi, "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
    .trim();
}

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
