import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SourceError } from '../errors.js';
import { type HttpClient, safeUrl } from '../net/http-client.js';
import type { RetryPolicy } from '../net/retry.js';
import { fetchText } from '../net/status.js';
import type { PipSettings } from './pip-settings.js';
import { type IndexedFile, normalizedName, parseProjectPage, SIMPLE_API_ACCEPT } from './simple-api.js';

export interface PackageVersion {
  readonly package: string;
  readonly version: string;
  /** Of the wheel, where it is known beforehand. */
  readonly sha256?: string;
}

/** A wheel somewhere: `url` is `file:` for one on this machine. */
export interface LocatedWheel extends IndexedFile {
  /** Credentials of the index, for files on the same origin. */
  readonly authorization?: string;
}

/** Indexes list every file of a project; PyPI's longest pages have some 10 MB. */
const MAX_PAGE_BYTES = 64 * 1024 * 1024;

/**
 * Finds a wheel as pip would: in the folders and pages of `find-links`, then in the indexes, in their order.
 * @throws SourceError with what every place said
 */
export async function findWheel(
  wanted: PackageVersion,
  settings: PipSettings,
  client: HttpClient,
  policy: RetryPolicy,
  signal?: AbortSignal,
): Promise<LocatedWheel> {
  const project = normalizedName(wanted.package);
  const places = [
    ...settings.findLinks.map((place) => placeOf(place)),
    ...settings.indexUrls.map((index) => placeOf(`${index.replace(/\/+$/, '')}/${project}/`)),
  ];
  const errors: SourceError[] = [];
  for (const { url, authorization } of places) {
    try {
      const listed = await filesAt(url, authorization, client, policy, signal);
      const wheel = chooseWheel(listed, wanted, url);
      return { ...wheel, authorization: wheel.url.origin === url.origin ? authorization : undefined };
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length === 0) throw new SourceError('not-found', 'The pip settings allow no index (no-index).');
  // A place that could not be asked may well have it.
  const first = errors.find(({ reason }) => reason === 'unreachable') ?? errors[0];
  throw new SourceError(first?.reason ?? 'not-found', errors.map(({ message }) => message).join(' '), { cause: first });
}

/** Credentials in a URL become a header, so that no message shows them. */
function placeOf(text: string): { readonly url: URL; readonly authorization?: string } {
  const url = URL.canParse(text) && /^[a-z]{2,}:/i.test(text) ? new URL(text) : pathToFileURL(text);
  if (url.username === '' && url.password === '') return { url };
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  return { url, authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

async function filesAt(
  url: URL,
  authorization: string | undefined,
  client: HttpClient,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
): Promise<IndexedFile[]> {
  if (url.protocol === 'file:') return filesInFolder(fileURLToPath(url));
  const request = { url, authorization, headers: { accept: SIMPLE_API_ACCEPT }, signal };
  return parseProjectPage(await fetchText(client, request, policy, { maxBytes: MAX_PAGE_BYTES }));
}

async function filesInFolder(folder: string): Promise<IndexedFile[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw new SourceError('not-found', `${folder} cannot be read.`, { cause });
  }
  return names.map((fileName) => ({ fileName, url: pathToFileURL(join(folder, fileName)) }));
}

/** @see https://packaging.python.org/en/latest/specifications/binary-distribution-format/ for `{name}-{version}-….whl` */
function chooseWheel(files: readonly IndexedFile[], wanted: PackageVersion, place: URL): IndexedFile {
  const wheels = files.filter(({ fileName }) => {
    const [name, version] = fileName.endsWith('.whl') ? fileName.split('-') : [];
    return name !== undefined && normalizedName(name) === normalizedName(wanted.package) && version === wanted.version;
  });
  const where = place.protocol === 'file:' ? fileURLToPath(place) : safeUrl(place);
  if (wheels.length === 0) {
    throw new SourceError('not-found', `${where} has no wheel of ${wanted.package} ${wanted.version}.`);
  }
  const matching = wheels.find(({ sha256 }) => sha256 === undefined || [undefined, sha256].includes(wanted.sha256));
  if (matching === undefined) {
    const what = `${where} has another ${wheels[0]?.fileName} than the one we know`;
    throw new SourceError('checksum', `${what}: its SHA-256 is ${wheels[0]?.sha256}.`);
  }
  return matching;
}
