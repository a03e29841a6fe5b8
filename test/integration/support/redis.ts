import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, vi } from 'vitest';
import { freePort } from '../../support/free-port.js';

export interface RunningRedis {
  readonly url: string;
  /** `SIGKILL` is a crash: what it held is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a Redis of its own on a free port of loopback. @param port  default: a free one */
export async function startRedis({
  port,
  isCluster = false,
}: {
  port?: number;
  isCluster?: boolean;
} = {}): Promise<RunningRedis> {
  const binary = process.env['HYDRA_TEST_REDIS'];
  if (!binary) throw new Error('HYDRA_TEST_REDIS is not set: run `make test-integration`');
  const at = port ?? (await freePort());
  const settings = [
    '--port',
    String(at),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    mkdtempSync(join(tmpdir(), 'hydra-redis-')),
  ];
  if (isCluster) settings.push('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1');
  const server = spawn(binary, settings, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    server.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (/Ready to accept connections/.test(said)) resolve();
    });
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}:\n${said}`)));
  });
  return {
    url: `redis://127.0.0.1:${at}`,
    stop: async (signal = 'SIGTERM') => {
      const gone = once(server, 'exit');
      server.kill(signal);
      await gone;
    },
  };
}

/** A cluster of one node, which has all slots. */
export async function startRedisCluster(): Promise<RunningRedis> {
  const server = await startRedis({ isCluster: true });
  const node = new Redis(server.url);
  await node.cluster('ADDSLOTS', ...Array.from({ length: 16_384 }, (_, slot) => slot));
  await vi.waitFor(async () => expect(await node.cluster('INFO')).toContain('cluster_state:ok'), 20_000);
  node.disconnect();
  return server;
}
