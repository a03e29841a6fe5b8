import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Who holds a lock. */
export interface LockHolder {
  readonly processId: number;
  readonly host: string;
  /** Differs for every time the lock was taken. */
  readonly nonce: string;
  /** When the process started, as the system counts it: process ids are used again, soon so in containers. */
  readonly processStart?: string;
}

export interface FileLockOptions {
  readonly signal?: AbortSignal;
  /** Called once, when another holds the lock and this call begins to wait. */
  readonly onWait?: (holder: LockHolder) => void;
}

/** Chosen: a waiter notices a release within this time. */
const POLL_INTERVAL_MS = 200;
/** Chosen: the holder shows life this often, and ... */
const HEARTBEAT_MS = 2_000;
/** ... counts as dead after this silence, when its process cannot be looked at: long enough for a blocked event loop. */
const SILENCE_MS = 60_000;

/**
 * A lock between processes: a file that names its holder. It is taken over when the holder's process is gone, or when
 * the holder has been silent for a minute. A holder that was only paused finds out by `assertHeld`.
 */
export class FileLock {
  private constructor(
    private readonly path: string,
    readonly holder: LockHolder,
    private readonly heartbeat: NodeJS.Timeout,
  ) {}

  /** Waits until the lock is free. @throws the signal's reason when aborted */
  static async acquire(path: string, options: FileLockOptions = {}): Promise<FileLock> {
    await mkdir(dirname(path), { recursive: true });
    const processStart = await startOf(process.pid);
    const holder: LockHolder = { processId: process.pid, host: hostname(), nonce: randomUUID(), processStart };
    let hasWaited = false;
    for (;;) {
      options.signal?.throwIfAborted();
      if (await create(path, holder)) return FileLock.beat(path, holder);
      const current = await readHolder(path);
      if (current === 'free') continue;
      const isLeftOver = await isStale(path, current);
      if (isLeftOver && (await clear(path, current))) continue;
      if (!isLeftOver && !hasWaited && current !== 'unwritten') {
        hasWaited = true;
        options.onWait?.(current);
      }
      await delay(POLL_INTERVAL_MS, undefined, { signal: options.signal }).catch(() =>
        options.signal?.throwIfAborted(),
      );
    }
  }

  /** Who holds the lock now; `undefined` when nobody living does. */
  static async holderOf(path: string): Promise<LockHolder | undefined> {
    const current = await readHolder(path);
    return current === 'free' || current === 'unwritten' || (await isStale(path, current)) ? undefined : current;
  }

  /** Whether it is certain that the holder's process has ended: it was one of this machine. */
  static async isGone(holder: LockHolder): Promise<boolean> {
    return (await lifeOf(holder)) === 'gone';
  }

  /** @throws when another took the lock over, so that what it protects must not be published */
  async assertHeld(): Promise<void> {
    const current = await readHolder(this.path);
    if (typeof current === 'string' || current.nonce !== this.holder.nonce) {
      throw new Error(`The lock ${this.path} was taken over by another process while this one was paused.`);
    }
  }

  async release(): Promise<void> {
    clearInterval(this.heartbeat);
    const current = await readHolder(this.path);
    if (typeof current !== 'string' && current.nonce === this.holder.nonce) await rm(this.path, { force: true });
  }

  private static beat(path: string, holder: LockHolder): FileLock {
    const heartbeat = setInterval(() => {
      const now = new Date();
      // A lock that is gone shows at assertHeld.
      utimes(path, now, now).catch(() => undefined);
    }, HEARTBEAT_MS);
    heartbeat.unref();
    return new FileLock(path, holder, heartbeat);
  }
}

/** @returns false when the file exists */
async function create(path: string, holder: LockHolder): Promise<boolean> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx');
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    await file.writeFile(JSON.stringify(holder));
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return true;
}

type CurrentHolder = LockHolder | 'free' | /** between creation and writing, or a crash there */ 'unwritten';

async function readHolder(path: string): Promise<CurrentHolder> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'free';
    throw error;
  }
  try {
    const value = JSON.parse(text) as Partial<LockHolder>;
    if (typeof value.nonce !== 'string' || typeof value.host !== 'string') return 'unwritten';
    const { host, nonce, processStart } = value;
    return { processId: Number(value.processId), host, nonce, processStart };
  } catch {
    return 'unwritten';
  }
}

async function isStale(path: string, current: LockHolder | 'unwritten'): Promise<boolean> {
  const life = current === 'unwritten' ? 'unknown' : await lifeOf(current);
  if (life !== 'unknown') return life === 'gone';
  return isSilent(path);
}

/** Whether nobody has touched the file for so long that who should is taken for dead. */
async function isSilent(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > SILENCE_MS;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** What can be seen of the holder's process from here; of another machine's nothing. */
async function lifeOf({ host, processId, processStart }: LockHolder): Promise<'alive' | 'gone' | 'unknown'> {
  if (host !== hostname()) return 'unknown';
  if (!isAlive(processId)) return 'gone';
  const start = await startOf(processId);
  if (start === undefined || processStart === undefined) return 'unknown';
  return start === processStart ? 'alive' : 'gone';
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Field 22 of /proc/ID/stat, in ticks since the machine started. @returns `undefined` where there is no /proc */
async function startOf(processId: number): Promise<string | undefined> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${processId}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name of the program, in parentheses, may have blanks; field 3 follows it.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[22 - 3];
}

/**
 * Takes the stale file away. Many may want to at once, and a slow one must not take the new lock of a fast one: so only who has
 * claimed this one holder does, and looks again once it has the claim.
 * @returns false when another has the claim
 */
async function clear(path: string, stale: LockHolder | 'unwritten'): Promise<boolean> {
  const nonce = stale === 'unwritten' ? stale : stale.nonce;
  const claim = `${path}.stale-${createHash('sha256').update(nonce).digest('hex').slice(0, 16)}`;
  try {
    await writeFile(claim, '', { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    if (await isSilent(claim)) await rm(claim, { force: true }); // who had it died with it
    return false;
  }
  try {
    const current = await readHolder(path);
    const isSame = typeof current === 'string' ? current === stale : current.nonce === nonce;
    if (isSame && current !== 'free' && (await isStale(path, current))) await rm(path, { force: true });
  } finally {
    await rm(claim, { force: true });
  }
  return true;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
