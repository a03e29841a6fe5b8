import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { SqliteDialect } from 'kysely';

/** How long a writer waits for another process' transaction, in milliseconds; far above what one of ours takes. */
const BUSY_TIMEOUT_MS = 5_000;
const RETRY_MS = 20;
/** @see https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;

/**
 * SQLite as it comes with Node, behind kysely's dialect. WAL: readers and one writer do not wait for each other, and several
 * processes may have the file open.
 * @param path  of the file, made with its folder when it is not there and readable by its owner only; or `:memory:`
 */
export function nodeSqliteDialect(path: string): SqliteDialect {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const connection = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  switchToWal(connection);
  connection.exec('pragma synchronous = full'); // an answered admin act or charge survives the power going
  return new SqliteDialect({
    database: {
      prepare(text) {
        const statement = connection.prepare(text);
        const bound = (parameters: readonly unknown[]) => parameters as SQLInputValue[]; // the tables know no other types
        return {
          reader: statement.columns().length > 0,
          all: (parameters) => statement.all(...bound(parameters)),
          run: (parameters) => statement.run(...bound(parameters)),
          iterate: (parameters) => statement.iterate(...bound(parameters)),
        };
      },
      close: () => connection.close(),
    },
  });
}

/** The one lock that SQLite does not wait for by itself, when several processes open a new file at once. */
function switchToWal(connection: DatabaseSync): void {
  const untilMs = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      connection.exec('pragma journal_mode = wal');
      return;
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY || performance.now() > untilMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS); // at start only, where nobody waits for us
    }
  }
}
