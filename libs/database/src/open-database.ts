import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { CamelCasePlugin, type Dialect, Kysely, PostgresDialect, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import pg from 'pg';
import { DATABASE_URL, DATABASE_URL_EXPECTED } from '#lib/secrets';
import { createIdentity } from './migrations/identity.js';
import { createKeyLineage } from './migrations/key-lineage.js';
import { createLimits } from './migrations/limits.js';
import { createModelLimits } from './migrations/model-limits.js';
import { createUsage } from './migrations/usage.js';
import { nodeSqliteDialect } from './node-sqlite.js';
import type { Tables } from './tables.js';

export type Database = Kysely<Tables>;

/** The database cannot be opened, or is of a newer version. The message never holds its URL, which may have a password. */
export class DatabaseUnusableError extends Error {
  override readonly name = 'DatabaseUnusableError';
}

/** In this order, each once; never changed after a release. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '001-identity': { up: createIdentity },
  '002-limits': { up: createLimits },
  '003-model-limits': { up: createModelLimits },
  '004-usage': { up: createUsage },
  '005-key-lineage': { up: createKeyLineage },
};

/** Most time to wait for a connection to PostgreSQL, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Longest a statement may take before the database gives it up, in milliseconds; ours take some. */
const STATEMENT_TIMEOUT_MS = 10_000;
/** PostgreSQL's type of 64-bit integers; ours are times and counts far below 2^53. */
const INT8 = 20;

/**
 * Opens the database and brings its tables up to date; several processes may do so at once.
 * @param url  `sqlite:PATH` (`~/` is the home folder, `sqlite::memory:` lives as long as the process) or `postgres://…`
 * @param connections  most connections to PostgreSQL
 * @throws DatabaseUnusableError
 */
export async function openDatabase(url: string, connections = 4): Promise<Database> {
  let database: Database | undefined;
  try {
    const dialect = dialectOf(url, connections);
    database = new Kysely<Tables>({ dialect, plugins: [new CamelCasePlugin()] });
    if (dialect instanceof PostgresDialect) await migrate(database);
    else await database.connection().execute(migrateLocked);
    return database;
  } catch (cause) {
    await database?.destroy();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DatabaseUnusableError(`the database (database.url) cannot be used: ${reason}`, { cause });
  }
}

/** Whole or not at all, one process after another: on PostgreSQL by kysely's own transaction and lock. */
async function migrate(database: Database): Promise<void> {
  const migrator = new Migrator({ db: database, provider: { getMigrations: async () => MIGRATIONS } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** … which kysely does not have for SQLite. */
async function migrateLocked(connection: Database): Promise<void> {
  await sql`begin immediate`.execute(connection);
  try {
    await migrate(connection);
    await sql`commit`.execute(connection);
  } catch (error) {
    await sql`rollback`.execute(connection);
    throw error;
  }
}

function dialectOf(url: string, connections: number): Dialect {
  const place = DATABASE_URL.exec(url);
  if (place === null) throw new Error(DATABASE_URL_EXPECTED);
  const file = place.groups?.['file'];
  if (file !== undefined) {
    if (file === ':memory:') return nodeSqliteDialect(file);
    return nodeSqliteDialect(file.startsWith('~/') ? join(homedir(), file.slice(2)) : resolve(file));
  }
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
    },
  });
  pool.on('error', () => {}); // an idle connection broke; the next query opens another, or fails itself
  return new PostgresDialect({ pool });
}
