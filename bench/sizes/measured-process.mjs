import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { secondsOfProcess } from '../engine/disturbance.mjs';
import { residentSet } from '../resident-set.mjs';

const LOOK_INTERVAL_MS = 200;

/**
 * Runs a Node script and looks at its process while it does. Linux only.
 * @returns {Promise<{output: string, seconds: number, cpuSeconds: number, peakBytes: number}>} what it printed, its time on the
 *   clock and on the CPUs (itself, without children), and the largest resident set it had
 */
export async function runMeasured(args, env) {
  const startMs = performance.now();
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = () => child.kill();
  process.once('exit', stop);
  let [output, cpuSeconds, peakBytes] = ['', 0, 0];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const timer = setInterval(() => {
    try {
      peakBytes = residentSet(child.pid).peakBytes;
      cpuSeconds = secondsOfProcess(child.pid);
    } catch {
      // It has just ended: the figures before are its last.
    }
  }, LOOK_INTERVAL_MS);
  const [code, signal] = await once(child, 'close');
  clearInterval(timer);
  process.removeListener('exit', stop);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${signal ?? `code ${code}`}. ${output}`);
  return { output, seconds: (performance.now() - startMs) / 1000, cpuSeconds, peakBytes };
}
