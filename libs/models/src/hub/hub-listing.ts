import { SourceError } from '../errors.js';
import { isJsonObject } from '../json-object.js';
import type { Digest } from '../net/content-hash.js';
import { type HttpClient, type HttpResponse, safeUrl } from '../net/http-client.js';
import type { RetryPolicy } from '../net/retry.js';
import { failureOfStatus, fetchText } from '../net/status.js';

export interface HubRevision {
  /** Base URL of the hub, without a slash at the end. */
  readonly endpoint: string;
  /** `org/name`. */
  readonly repo: string;
  /** Branch, tag, commit or `refs/pr/1`. */
  readonly revision: string;
  readonly token?: string;
}

export interface HubFile {
  readonly path: string;
  readonly bytes?: number;
  readonly digest?: Digest;
}

export interface HubListing {
  /** The commit that the revision is now; downloads name it, so that all files are of one commit. */
  readonly commit: string;
  readonly files: readonly HubFile[];
}

const MAX_PAGE_BYTES = 64 * 1024 * 1024;
/** Chosen: the hub pages by 1,000 files. */
const MAX_PAGES = 100;

export interface HubAccess {
  readonly client: HttpClient;
  readonly policy: RetryPolicy;
  readonly signal?: AbortSignal;
}

/**
 * Lists the files of a repository at a revision.
 * @param isRecursive  whether folders are listed too
 * @see https://huggingface.co/docs/hub/api
 */
export async function listHubFiles(hub: HubRevision, access: HubAccess, isRecursive: boolean): Promise<HubListing> {
  const api = `${hub.endpoint}/api/models/${hub.repo}`;
  const info = await getJson(new URL(`${api}/revision/${encodeURIComponent(hub.revision)}`), hub, access);
  const sha = isJsonObject(info.value) ? info.value['sha'] : undefined;
  if (typeof sha !== 'string') throw new SourceError('malformed', `${safeUrl(info.url)} names no commit.`);

  const files: HubFile[] = [];
  let next: URL | undefined = new URL(`${api}/tree/${encodeURIComponent(sha)}${isRecursive ? '?recursive=true' : ''}`);
  for (let page = 0; next !== undefined && page < MAX_PAGES; page += 1) {
    const { value, url, link } = await getJson(next, hub, access);
    if (!Array.isArray(value)) throw new SourceError('malformed', `${safeUrl(url)} lists no files.`);
    files.push(...value.filter(isJsonObject).flatMap(toHubFile));
    next = nextPage(link, url);
  }
  return { commit: sha, files };
}

export function authorizationOf({ token }: HubRevision): string | undefined {
  return token === undefined || token === '' ? undefined : `Bearer ${token}`;
}

/** Says what a refusal of the hub means and what to do; its error code tells apart what the status does not. */
export function judgeHubStatus(hub: HubRevision, response: HttpResponse): Error {
  const { repo, revision, endpoint } = hub;
  const host = new URL(endpoint).host;
  const code = response.headers['x-error-code'];
  const hasToken = authorizationOf(hub) !== undefined;
  switch (response.status) {
    case 401:
    case 403:
      if (code === 'GatedRepo') {
        const terms = `${repo} is gated: accept its terms at ${endpoint}/${repo}`;
        const todo = hasToken
          ? 'with the account that HF_TOKEN belongs to'
          : 'and set HF_TOKEN to a token of that account';
        return new SourceError('access-denied', `${terms} ${todo}.`);
      }
      return new SourceError(
        'access-denied',
        hasToken
          ? `${host} does not let this HF_TOKEN read ${repo} (${response.status}): the token is wrong, or the repository does not exist or is private.`
          : `${host} does not give ${repo} to everyone (${response.status}): it does not exist, or is private or gated and needs HF_TOKEN.`,
      );
    case 404:
      if (code === 'RevisionNotFound') return new SourceError('not-found', `${repo} has no revision ${revision}.`);
      return new SourceError('not-found', `${host} has no ${repo} at revision ${revision}.`);
    default:
      return failureOfStatus(response);
  }
}

async function getJson(
  url: URL,
  hub: HubRevision,
  { client, policy, signal }: HubAccess,
): Promise<{ readonly value: unknown; readonly url: URL; readonly link?: string }> {
  const request = { url, authorization: authorizationOf(hub), headers: { accept: 'application/json' }, signal };
  const judge = (response: HttpResponse) => judgeHubStatus(hub, response);
  const page = await fetchText(client, request, policy, { maxBytes: MAX_PAGE_BYTES, judge });
  try {
    return { value: JSON.parse(page.text) as unknown, url: page.url, link: page.headers.link?.toString() };
  } catch (cause) {
    throw new SourceError('malformed', `${safeUrl(page.url)} is not valid JSON.`, { cause });
  }
}

function toHubFile(entry: { readonly [key: string]: unknown }): HubFile[] {
  const { type, path, size, oid, lfs } = entry;
  if (type !== 'file' || typeof path !== 'string' || !isSafePath(path)) return [];
  const large = isJsonObject(lfs) ? lfs : undefined;
  const bytes = large?.['size'] ?? size;
  return [
    {
      path,
      bytes: Number.isSafeInteger(bytes) ? (bytes as number) : undefined,
      digest: toDigest(large === undefined ? oid : large['oid']),
    },
  ];
}

/** @param oid  SHA-256 of a large file, or git's blob id */
function toDigest(oid: unknown): Digest | undefined {
  const hex = typeof oid === 'string' ? oid.toLowerCase().replace(/^sha256:/, '') : '';
  if (/^[0-9a-f]{64}$/.test(hex)) return { algorithm: 'sha256', hex };
  return /^[0-9a-f]{40}$/.test(hex) ? { algorithm: 'git-sha1', hex } : undefined;
}

/** A listing must not be able to write outside of the download folder. */
function isSafePath(path: string): boolean {
  return !path.includes('\\') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/** `Link: <…>; rel="next"`; only of the same origin, since the token goes with it. */
function nextPage(link: string | undefined, url: URL): URL | undefined {
  const href = /<([^>]+)>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  const next = href === undefined ? null : URL.parse(href, url.href);
  return next !== null && next.origin === url.origin ? next : undefined;
}
