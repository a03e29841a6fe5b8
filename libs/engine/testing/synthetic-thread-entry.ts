/** An engine thread for tests: the synthetic engine, which fails in the way that `workerData` names. */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { serveEngine } from '../src/thread/serve-engine.js';
import { syntheticEngine } from './synthetic-engine.js';
import { SyntheticModelRunner } from './synthetic-model-runner.js';

/**
 * - `none`: it works
 * - `load`: it cannot be started
 * - `runner`: its runner breaks in the tenth run
 * - `thread`: something throws in the thread, in the tenth run
 * - `exit`: the thread ends, in the tenth run
 * - `busy`: the tenth run never returns
 * - `silent`: the tenth run returns and never ends
 * - `native`: the tenth run reads the named pipe `pipe`, which returns when somebody has opened it to write and closed it
 */
export type Fault = 'none' | 'load' | 'runner' | 'thread' | 'exit' | 'busy' | 'silent' | 'native';

const { fault, pipe } = workerData as { fault: Fault; pipe: string };
let runs = 0;

function onRun(): Promise<void> | void {
  runs++;
  if (runs !== 10) return;
  if (fault === 'runner') return Promise.reject(new Error('out of memory'));
  if (fault === 'exit') process.exit(3);
  if (fault === 'silent') return new Promise(() => {}); // never
  if (fault === 'native') readFileSync(pipe);
  while (fault === 'busy');
  if (fault === 'thread') {
    setImmediate(() => {
      throw new Error('a callback failed');
    });
    return new Promise(() => {}); // never
  }
}

serveEngine(
  syntheticEngine(() => {
    if (fault === 'load') throw new Error('The model is not there.');
    return new SyntheticModelRunner({ slots: 6, kvTotalBytes: 6 * 128, onRun });
  }),
  parentPort!,
);
