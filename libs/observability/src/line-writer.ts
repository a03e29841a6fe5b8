import { maskKeys } from '#lib/secrets';

/** Chosen: what comes faster is written in several goes. */
const MAX_WAITING_CHARACTERS = 64 * 1024;
/**
 * Chosen: nobody who reads along notices it. 50 ms would save a busy gateway most of the 4 % of its time that writing takes (CPU profile, 2026-11-29),
 * and a process that is killed would lose five times as many lines.
 */
const LONGEST_WAIT_MS = 10;

/**
 * Writes log lines to standard output; those of some milliseconds in one go, since a system call, which also wakes the reader,
 * costs many times what a line does. What waits at the process's exit is written then.
 *
 * No secret of a key is written, wherever in a line it stands: clients put keys into ids, paths and names of models.
 *
 * It goes on in silence when its reader is gone: an app whose parent was killed still has streams to finish. (pino's own
 * destination tries the last lines for ever at the exit: the app would never end.)
 */
export class LineWriter {
  private waiting = '';
  private isUsed = false;

  write(line: string): void {
    if (!this.isUsed) this.begin();
    if (this.waiting === '') setTimeout(() => this.flushSync(), LONGEST_WAIT_MS).unref();
    this.waiting += line;
    if (this.waiting.length > MAX_WAITING_CHARACTERS) this.flushSync();
  }

  /** pino calls it after a `fatal` line: the process may end right behind it, without an `exit` event. */
  flushSync(): void {
    if (this.waiting === '') return;
    const lines = this.waiting;
    this.waiting = '';
    process.stdout.write(maskKeys(lines));
  }

  private begin(): void {
    this.isUsed = true;
    process.stdout.on('error', () => {});
    process.once('exit', () => this.flushSync());
  }
}
