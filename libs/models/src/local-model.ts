import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { toStorageError, UnknownModelError, UnsupportedModelError } from './errors.js';
import type { ResolvedModel } from './resolved-model.js';

/** Files beside a model that say nothing about it: hidden ones, notes, pictures. */
const COUNTS = /^[^.].*\.(json|jinja|safetensors|gguf)$/;
/** Folders of an encoder's further modules, which have a configuration each: `1_Pooling`. */
const MODULE_FOLDER = /^\d+_\w+$/;

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
    return {
      kind: 'gguf',
      ggufPath: path,
      id: path,
      origin: 'file',
      ...(await identityOf(dirname(path), [basename(path)])),
    };
  }
  const entries = (await readdir(path)).sort();
  const names = entries.filter((name) => COUNTS.test(name));
  const ggufNames = names.filter((name) => name.endsWith('.gguf'));
  if (names.some((name) => name.endsWith('.safetensors')) && names.includes('config.json')) {
    const modules = entries.filter((name) => MODULE_FOLDER.test(name)).map((name) => join(name, 'config.json'));
    const identity = await identityOf(path, [...names, ...modules.filter((name) => existsSync(join(path, name)))]);
    return { kind: 'hf-folder', folder: path, id: path, origin: 'folder', ...identity };
  }
  const [ggufName, ...others] = ggufNames;
  if (ggufName === undefined) {
    throw new UnsupportedModelError(path, 'the folder has neither config.json with safetensors nor a .gguf file');
  }
  if (others.length > 0) {
    throw new UnsupportedModelError(
      path,
      `the folder has several .gguf files, name one of them: ${ggufNames.join(', ')}`,
    );
  }
  const identity = await identityOf(path, [ggufName]);
  return { kind: 'gguf', ggufPath: join(path, ggufName), id: path, origin: 'folder', ...identity };
}

/** Reading gigabytes for a hash would make every start slow: name, size and time of change stand for the content. */
async function identityOf(
  folder: string,
  names: readonly string[],
): Promise<{ readonly bytes: number; readonly contentKey: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const name of names) {
    const { size, mtimeNs } = await stat(join(folder, name), { bigint: true });
    bytes += Number(size);
    hash.update(`${name}\0${size}\0${mtimeNs}\n`);
  }
  return { bytes, contentKey: hash.digest('hex') };
}
