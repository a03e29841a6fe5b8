import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Ticks of /proc/stat per second, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** How much of the machine others used while this process measured; where the system does not tell, 0. */
export class Disturbance {
  #startMs = performance.now();
  #busySeconds = busySeconds();
  #ownUsage = process.cpuUsage();

  /** @returns share of all cores, 0 to 1 */
  share() {
    if (this.#busySeconds === undefined) return 0;
    const { user, system } = process.cpuUsage(this.#ownUsage);
    const others = busySeconds() - this.#busySeconds - (user + system) / 1e6;
    const available = ((performance.now() - this.#startMs) / 1000) * availableParallelism();
    return Math.max(0, others / available);
  }
}

/** Seconds of all cores since boot that were not idle; what a hypervisor took away counts too. */
function busySeconds() {
  if (process.platform !== 'linux') return undefined;
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split(/\s+/, 9)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}
