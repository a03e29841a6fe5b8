import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DiskFullError } from './errors.js';

export interface PlannedFile {
  readonly destination: string;
  /** `undefined` counts as nothing: it will fail when it fails. */
  readonly bytes?: number;
}

/**
 * Says early what would fail late. What is already there of a file, whole or in part, needs no room.
 * @param files  of one folder's disk
 * @throws DiskFullError when fewer bytes are free than are needed
 */
export async function assertDiskRoom(files: readonly PlannedFile[]): Promise<void> {
  let neededBytes = 0;
  for (const { destination, bytes = 0 } of files) {
    const presentBytes = Math.max(await fileBytes(destination), await fileBytes(`${destination}.part`));
    neededBytes += Math.max(0, bytes - presentBytes);
  }
  const first = files[0];
  if (first === undefined) return;
  const folder = dirname(first.destination);
  const { bavail, bsize } = await statfs(folder);
  const missingBytes = neededBytes - bavail * bsize;
  if (missingBytes > 0) throw new DiskFullError(folder, missingBytes);
}

async function fileBytes(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
