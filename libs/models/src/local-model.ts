import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { toStorageError, UnknownModelError, UnsupportedModelError } from './errors.js';
import type { ResolvedModel } from './resolved-model.js';

/** Files beside a model that say nothing about it: hidden ones, notes, pictures. */
const COUNTS = /^[^.].*\.(json|jinja|safetensors|gguf)$/;

/**
 * A model on this machine, used where it is.
 * @param path  absolute: a folder as the hub's, a folder with one GGUF file, or a GGUF file
 */
export async function resolveLocalModel(path: string): Promise<ResolvedModel> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new UnknownModelError(path, 'there is no such file or folder');
    throw toStorageError(error, path);
  }
  if (!isFolder) {
    if (!path.endsWith('.gguf')) throw new UnsupportedModelError(path, 'it is neither a folder nor a .gguf file');
    return { kind: 'gguf', ggufPath: path, id: path, origin: 'file', ...(await identityOf([path])) };
  }
  const names = (await readdir(path)).filter((name) => COUNTS.test(name)).sort();
  const paths = names.map((name) => join(path, name));
  const ggufPaths = paths.filter((file) => file.endsWith('.gguf'));
  if (names.some((name) => name.endsWith('.safetensors')) && names.includes('config.json')) {
    return { kind: 'hf-folder', folder: path, id: path, origin: 'folder', ...(await identityOf(paths)) };
  }
  const [ggufPath, ...others] = ggufPaths;
  if (ggufPath === undefined) {
    throw new UnsupportedModelError(path, 'the folder has neither config.json with safetensors nor a .gguf file');
  }
  if (others.length > 0) {
    const list = ggufPaths.map((file) => basename(file)).join(', ');
    throw new UnsupportedModelError(path, `the folder has several .gguf files, name one of them: ${list}`);
  }
  return { kind: 'gguf', ggufPath, id: path, origin: 'folder', ...(await identityOf([ggufPath])) };
}

/** Reading gigabytes for a hash would make every start slow: name, size and time of change stand for the content. */
async function identityOf(paths: readonly string[]): Promise<{ readonly bytes: number; readonly contentKey: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const path of paths) {
    const { size, mtimeNs } = await stat(path, { bigint: true });
    bytes += Number(size);
    hash.update(`${basename(path)}\0${size}\0${mtimeNs}\n`);
  }
  return { bytes, contentKey: hash.digest('hex') };
}
