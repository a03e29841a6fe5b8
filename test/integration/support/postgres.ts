import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import pg from 'pg';
import { freePort } from '../../support/free-port.js';

const PASSWORD = 'only-for-this-test';
/** The server refuses to run as root; `nobody` on Linux. */
const UNPRIVILEGED = 65_534;

export interface RunningPostgres {
  /** Makes an empty database. @returns its URL */
  createDatabase(): Promise<string>;
  /** Ends it and all its connections at once. */
  stop(): Promise<void>;
}

/** Starts a PostgreSQL of its own in a temporary folder, on a socket of a free port of loopback. */
export async function startPostgres(): Promise<RunningPostgres> {
  const installed = process.env['HYDRA_TEST_POSTGRES'];
  if (!installed) throw new Error('HYDRA_TEST_POSTGRES is not set: run `make test-integration`');
  const folder = mkdtempSync(join(tmpdir(), 'hydra-postgres-'));
  const identity = process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};
  const bin = join(identity.uid === undefined ? installed : readableCopy(installed, folder), 'pginstall', 'bin');
  const [data, password] = [join(folder, 'data'), join(folder, 'password')];
  writeFileSync(password, PASSWORD);
  if (identity.uid !== undefined) {
    chmodSync(dirname(folder), 0o711); // the folder of the whole run: to be walked through, not to be listed
    for (const path of [folder, password]) chownSync(path, identity.uid, identity.gid);
  }
  const options = { ...identity, cwd: folder, env: { ...process.env, LC_ALL: 'C' } };
  const initial = ['-D', data, '-U', 'postgres', '-E', 'UTF8', '--no-sync'];
  initial.push('-A', 'scram-sha-256', `--pwfile=${password}`);
  execFileSync(join(bin, 'initdb'), initial, { ...options, stdio: 'pipe' });

  const port = await freePort();
  const settings = ['fsync=off', `port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`];
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await untilReady(server);
  const urlOf = (database: string) => `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/${database}`;
  let databases = 0;
  return {
    createDatabase: async () => {
      const client = new pg.Client(urlOf('postgres'));
      await client.connect();
      const name = `hydra_${databases++}`;
      await client.query(`create database ${name}`);
      await client.end();
      return urlOf(name);
    },
    stop: async () => {
      const gone = once(server, 'exit');
      server.kill('SIGQUIT'); // "immediate shutdown"; with SIGKILL its children would stay for a while
      await gone;
    },
  };
}

/** The installation, with the libraries beside it, may lie where only root may look. */
function readableCopy(installed: string, folder: string): string {
  const copy = join(folder, basename(installed));
  cpSync(installed, copy, { recursive: true });
  cpSync(`${installed}.libs`, `${copy}.libs`, { recursive: true });
  return copy;
}

/** @throws Error with what it said when it ends instead */
async function untilReady(server: ChildProcess): Promise<void> {
  let said = '';
  server.stderr?.setEncoding('utf8');
  await new Promise<void>((resolve, reject) => {
    server.stderr?.on('data', (text: string) => {
      said += text;
      if (/ready to accept connections/.test(said)) resolve();
    });
    server.once('exit', (code) => reject(new Error(`postgres ended with ${code}:\n${said}`)));
  });
}
