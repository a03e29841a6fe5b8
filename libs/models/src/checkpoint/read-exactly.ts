import type { FileHandle } from 'node:fs/promises';
import { CheckpointError } from './checkpoint.js';

/** Bytes of a file, all of them. @param what  how errors call the place @throws CheckpointError at the end of the file */
export async function readExactly(file: FileHandle, offset: number, length: number, what: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw new CheckpointError(`The file ends inside ${what}.`);
    done += bytesRead;
  }
  return bytes;
}
