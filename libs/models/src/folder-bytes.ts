import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Size of all files below a folder, links not followed. What vanishes meanwhile, and a folder that is not there, count 0. */
export async function folderBytes(folder: string): Promise<number> {
  let total = 0;
  for (const entry of await orNothing(readdir(folder, { withFileTypes: true }), [])) {
    const path = join(folder, entry.name);
    total += entry.isDirectory() ? await folderBytes(path) : await orNothing(fileBytes(path), 0);
  }
  return total;
}

async function fileBytes(path: string): Promise<number> {
  return (await lstat(path)).size;
}

async function orNothing<T>(work: Promise<T>, nothing: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return nothing;
    throw error;
  }
}
