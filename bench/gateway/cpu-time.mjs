import { readdirSync, readFileSync } from 'node:fs';
import { secondsOfProcess } from '../engine/disturbance.mjs';

/**
 * Processor time of a process's threads so far, to the nanosecond; `/proc/…/stat` counts in hundredths of a second, which is much of a
 * short turn. Threads that have ended are not in it: a gateway keeps those it has.
 */
export function cpuSeconds(pid) {
  if (process.platform !== 'linux') return secondsOfProcess(pid);
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0]);
  }
  return nanoseconds / 1e9;
}
