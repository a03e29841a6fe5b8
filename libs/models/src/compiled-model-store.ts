import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { toStorageError } from './errors.js';
import { FileLock, type LockHolder } from './file-lock.js';
import { folderBytes } from './folder-bytes.js';
import type { ResolvedModel } from './resolved-model.js';
import { UnfinishedFolder } from './unfinished-folder.js';

export interface CompiledModel {
  readonly key: string;
  readonly folder: string;
  readonly bytes: number;
  readonly lastUsed: Date;
  /** What it was compiled from, where `create` was told. */
  readonly model?: CompiledFrom;
}

/** Enough to see that a compiled model has lost its model. */
export type CompiledFrom = Pick<ResolvedModel, 'id' | 'contentKey'>;

export interface CreateOptions {
  readonly signal?: AbortSignal;
  /** Called once when another process is compiling the same model and this one waits for it. */
  readonly onWait?: (holder: LockHolder) => void;
  /** Noted in the folder, so that `rm` and `prune` know what belongs together. */
  readonly model?: CompiledFrom;
}

const MODEL_NOTE = 'hydra-compiled.json';
const modelNoteSchema = z.object({ id: z.string(), contentKey: z.string() });

const KEY = /^[\w.-]{1,200}$/;
/** Names of folders being written or removed: the key and a UUID. */
const UNFINISHED = /^\.unfinished-(.+)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Compiled models, one folder each, named by a key of everything that determines its content. A folder is there whole or
 * not at all: it is written beside its place and renamed.
 */
export class CompiledModelStore {
  /** @param folder  where the compiled models are, made when first needed */
  constructor(readonly folder: string) {}

  /** @returns the folder of the compiled model, `undefined` when there is none. Counts as a use. */
  async locate(key: string): Promise<string | undefined> {
    const path = this.pathOf(key);
    try {
      if (!(await stat(path)).isDirectory()) return undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw toStorageError(error, path);
    }
    const now = new Date();
    // A read-only store serves as well; only `prune` then knows less.
    await utimes(path, now, now).catch(() => undefined);
    return path;
  }

  /**
   * The compiled model of the key, written by `write` if there is none. One process writes; others wait for it.
   * @param write  fills the folder it is given, which is empty or as an earlier call left it when it was interrupted: killed, or
   * ended by the signal. When it throws for another reason, nothing stays.
   * @returns the folder
   */
  async create(
    key: string,
    write: (tempFolder: string) => Promise<void>,
    options: CreateOptions = {},
  ): Promise<string> {
    const path = this.pathOf(key);
    try {
      const present = await this.locate(key);
      if (present !== undefined) return present;
      const lock = await FileLock.acquire(this.lockPathOf(key), options);
      try {
        return (await this.locate(key)) ?? (await this.writeLocked(key, write, lock, options));
      } finally {
        await lock.release();
      }
    } catch (error) {
      throw toStorageError(error, path);
    }
  }

  async list(): Promise<CompiledModel[]> {
    const models: CompiledModel[] = [];
    for (const key of await this.entries()) {
      if (key.startsWith('.')) continue;
      const folder = join(this.folder, key);
      const [bytes, { mtime: lastUsed }, model] = await Promise.all([
        folderBytes(folder),
        stat(folder),
        readNote(folder),
      ]);
      models.push({ key, folder, bytes, lastUsed, model });
    }
    return models;
  }

  /** @returns the bytes freed, 0 when there was none */
  async remove(key: string): Promise<number> {
    const path = this.pathOf(key);
    const bytes = await folderBytes(path);
    // Renamed first, so that nobody finds half of it.
    const aside = join(this.folder, `.unfinished-${key}-${randomUUID()}`);
    try {
      await rename(path, aside);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw toStorageError(error, path);
    }
    await rm(aside, { recursive: true, force: true });
    return bytes;
  }

  /** Removes what interrupted compilations left. @returns the bytes freed */
  async removeLeftovers(): Promise<number> {
    let freedBytes = 0;
    for (const name of await this.entries()) {
      const key = UNFINISHED.exec(name)?.[1];
      if (key === undefined) continue;
      if ((await FileLock.holderOf(this.lockPathOf(key))) !== undefined) continue;
      const path = join(this.folder, name);
      freedBytes += await folderBytes(path);
      await rm(path, { recursive: true, force: true });
    }
    return freedBytes;
  }

  private async writeLocked(
    key: string,
    write: (tempFolder: string) => Promise<void>,
    lock: FileLock,
    { model, signal }: CreateOptions,
  ): Promise<string> {
    const path = this.pathOf(key);
    const unfinished = await this.unfinishedFolder(key, lock);
    try {
      await write(unfinished.path);
      if (model !== undefined) {
        await writeFile(
          join(unfinished.path, MODEL_NOTE),
          JSON.stringify({ id: model.id, contentKey: model.contentKey }),
        );
      }
      await lock.assertHeld();
      await unfinished.forgetWriter();
      await rename(unfinished.path, path);
    } catch (error) {
      if (signal?.aborted) await unfinished.leave();
      else await unfinished.remove();
      throw error;
    }
    return path;
  }

  /** What an interrupted writer of this key left, or a new folder. The caller holds the lock; what cannot be gone on with goes. */
  private async unfinishedFolder(key: string, lock: FileLock): Promise<UnfinishedFolder> {
    let found: UnfinishedFolder | undefined;
    for (const name of await this.entries()) {
      if (UNFINISHED.exec(name)?.[1] !== key) continue;
      const folder = new UnfinishedFolder(join(this.folder, name));
      if (found === undefined && (await folder.take(lock.holder))) found = folder;
      else await folder.remove();
    }
    return found ?? UnfinishedFolder.create(join(this.folder, `.unfinished-${key}-${randomUUID()}`), lock.holder);
  }

  private async entries(): Promise<string[]> {
    try {
      return await readdir(this.folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw toStorageError(error, this.folder);
    }
  }

  private pathOf(key: string): string {
    if (!KEY.test(key) || key.startsWith('.')) {
      throw new RangeError(`${JSON.stringify(key)} is no key of a compiled model: 1 to 200 of A-Z a-z 0-9 _ . -`);
    }
    return join(this.folder, key);
  }

  private lockPathOf(key: string): string {
    return join(this.folder, `.lock-${key}`);
  }
}

async function readNote(folder: string): Promise<CompiledFrom | undefined> {
  try {
    return modelNoteSchema.parse(JSON.parse(await readFile(join(folder, MODEL_NOTE), 'utf8')));
  } catch {
    // None was given, or it is damaged: only its last use then says whether it is needed.
    return undefined;
  }
}
