import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Ticks of /proc/stat per second, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** How much of the machine others used while an engine was measured; where the system does not tell, 0. */
export class Disturbance {
  #startMs = performance.now();
  #busySeconds = busySeconds();
  #ownSeconds;
  #ownSecondsAtStart;

  /** @param {() => number} ownSeconds  processor time of the engine so far; default: of this process */
  constructor(ownSeconds = secondsOfThisProcess) {
    this.#ownSeconds = ownSeconds;
    this.#ownSecondsAtStart = ownSeconds();
  }

  /** @returns share of all cores, 0 to 1 */
  share() {
    if (this.#busySeconds === undefined) return 0;
    const own = this.#ownSeconds() - this.#ownSecondsAtStart;
    const others = busySeconds() - this.#busySeconds - own;
    const available = ((performance.now() - this.#startMs) / 1000) * availableParallelism();
    return Math.max(0, others / available);
  }
}

function secondsOfThisProcess() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Processor time that another process has used so far; where the system does not tell, 0. */
export function secondsOfProcess(pid) {
  if (process.platform !== 'linux') return 0;
  const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(afterName[11]) + Number(afterName[12])) / TICKS_PER_SECOND; // utime, stime
}

/** Seconds of all cores since boot that were not idle; what a hypervisor took away counts too. */
function busySeconds() {
  if (process.platform !== 'linux') return undefined;
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split(/\s+/, 9)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}
