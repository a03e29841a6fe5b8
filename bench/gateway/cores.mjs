import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** What is measured has the first core to itself, all that is around it the others; on one core, or without taskset, nothing is pinned. */
const canPin =
  process.platform === 'linux' && availableParallelism() > 1 && spawnSync('taskset', ['-V']).error === undefined;

export const MEASURED = 'measured';
export const AROUND = 'around';

export const pinning = canPin ? 'one core each' : 'no cores of their own';

const CORES = { [MEASURED]: '0', [AROUND]: availableParallelism() > 2 ? `1-${availableParallelism() - 1}` : '1' };

/** Starts a command on its cores; it ends with this process. @returns {import('node:child_process').ChildProcess} */
export function spawnOn(place, command, args, options) {
  const child = canPin
    ? spawn('taskset', ['--cpu-list', CORES[place], command, ...args], options) // which becomes the command: same pid
    : spawn(command, args, options);
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return child;
}
