import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { FileLock, type LockHolder } from './file-lock.js';

const WRITER_NOTE = 'hydra-writer.json';
const holderSchema: z.ZodType<LockHolder> = z.object({
  processId: z.number(),
  host: z.string(),
  nonce: z.string(),
  processStart: z.string().optional(),
});
const noteSchema = z.object({ writer: holderSchema.optional() });

/**
 * A folder that is being written, or was when its writer was interrupted. A note in it names the writer: another goes on only when
 * that one certainly writes no more, because a process that was merely paused would write into what the next one has checked.
 */
export class UnfinishedFolder {
  constructor(readonly path: string) {}

  static async create(path: string, writer: LockHolder): Promise<UnfinishedFolder> {
    await mkdir(path, { recursive: true });
    const folder = new UnfinishedFolder(path);
    await folder.note(writer);
    return folder;
  }

  /** @returns whether `writer` may go on in it; if so it is noted */
  async take(writer: LockHolder): Promise<boolean> {
    let before: LockHolder | undefined;
    try {
      before = noteSchema.parse(JSON.parse(await readFile(this.notePath, 'utf8'))).writer;
    } catch {
      return false; // no note, or cut off: nobody knows who may still write
    }
    if (before !== undefined && !(await FileLock.isGone(before))) return false;
    await this.note(writer);
    return true;
  }

  /** The writer ends before all is written; the next may go on. */
  async leave(): Promise<void> {
    await this.note(undefined);
  }

  /** All is written. */
  async forgetWriter(): Promise<void> {
    await rm(this.notePath, { force: true });
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  private get notePath(): string {
    return join(this.path, WRITER_NOTE);
  }

  private note(writer: LockHolder | undefined): Promise<void> {
    return writeFile(this.notePath, JSON.stringify({ writer }));
  }
}
