import 'reflect-metadata';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { register } from 'prom-client';
import { loadConfig } from '#lib/config';
import type { Logger } from '#lib/observability';
import { type RunningWorker, startWorker } from '../../apps/inference/src/start-worker.js';

export interface WorkerWithLog {
  readonly worker: RunningWorker;
  readonly lines: Record<string, unknown>[];
}

/**
 * A worker app in this process, on free ports and with nobody to join. One at a time: the metrics are the process's.
 * @param env   the whole environment
 * @param yaml  contents of `hydra.yaml`
 */
export async function startedWorker(env: Readonly<Record<string, string>>, yaml = ''): Promise<WorkerWithLog> {
  register.clear();
  const folder = mkdtempSync(join(tmpdir(), 'hydra-worker-'));
  writeFileSync(join(folder, 'hydra.yaml'), yaml);
  const config = loadConfig({
    env: {
      HYDRA_WORKER_GRPC_PORT: '0',
      HYDRA_WORKER_HTTP_PORT: '0',
      HYDRA_SCHEDULER_TARGET: '127.0.0.1:1', // nobody listens there
      ...env,
    },
    folder,
  });
  const lines: Record<string, unknown>[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().split('\n')) if (line !== '') lines.push(JSON.parse(line));
      done();
    },
  });
  const logger: Logger = pino({ level: 'debug', messageKey: 'message', errorKey: 'error' }, sink);
  const worker = await startWorker(config, logger);
  await worker.prepare();
  return { worker, lines };
}
