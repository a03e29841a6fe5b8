import { readFileSync } from 'node:fs';
import type { RunningPlatform } from './platform.js';

/** Process ids that an app of the platform has had so far, in order of their first log lines (which are JSON). */
export function pidsOf(platform: RunningPlatform, app: string): number[] {
  const pids = new Set<number>();
  for (const line of platform.lines) {
    const pid = line.startsWith(`${app} `) ? /"pid":(\d+)/.exec(line)?.[1] : undefined;
    if (pid !== undefined) pids.add(Number(pid));
  }
  return [...pids];
}

/** The process that the app is now, or was last. */
export function pidOf(platform: RunningPlatform, app: string): number {
  const pid = pidsOf(platform, app).at(-1);
  if (pid === undefined) throw new Error(`${app} has not logged yet`);
  return pid;
}

/** Whether the process runs: one that ended and was not waited for by its parent does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, ''));
  } catch {
    return false; // no /proc: its init reaps at once
  }
}
