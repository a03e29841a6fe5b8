import type { WorkerView } from '../worker-view.js';

/** More than that count as that many: a fleet that never gets through its work has no end of them. */
const MOST_FOLLOWERS = 64;

/** Busy periods followed at once; of more workers, those that began the longest ago are forgotten. */
const MOST_PERIODS = 4_096;

/** Of one observation in the next: what was seen a thousand prompts ago counts a third. */
const FORGETTING = 0.999;

/** Of a first guess, and of a level line: before anything was seen, one prompt follows. */
const PRIOR_WEIGHT = 1;

interface BusyPeriod {
  /** Mean number of prompts that waited per worker when each of its last prompts came, oldest first. */
  readonly pendingAt: number[];
}

/**
 * How many later prompts the work of one delays: those that come to its worker before that has nothing left to compute, in the
 * same *busy period*. Their number is by how much the sum of all waits grows with that work, as long as prompts go where they
 * went (infinitesimal perturbation analysis); a placement that is the best one for everybody changes nothing in that, to first order.
 * Counted for each prompt when its busy period ends, and fitted by a line over how many prompts waited per worker when it came.
 * @see Suri, Zazanis 1988, Perturbation Analysis Gives Strongly Consistent Sensitivity Estimates for the M/G/1 Queue
 */
export class Followers {
  private readonly periods = new Map<string, BusyPeriod>();
  /** Weighted sums over observations: of weights, of x, y, x², xy. */
  private readonly sums = { w: PRIOR_WEIGHT, x: 0, y: PRIOR_WEIGHT, xx: PRIOR_WEIGHT, xy: 0 };

  /** Ends the busy periods of workers that have nothing left to compute. */
  observe(workers: readonly WorkerView[]): void {
    for (const { workerId, mirror } of workers) {
      if (mirror.pendingCount > 0) continue;
      const period = this.periods.get(workerId);
      if (period === undefined) continue;
      for (const [index, pending] of period.pendingAt.entries())
        this.learn(pending, period.pendingAt.length - 1 - index);
      this.periods.delete(workerId);
    }
  }

  /** @param meanPending  prompts that wait per worker, before this one */
  placed(workerId: string, meanPending: number): void {
    const period = this.periods.get(workerId) ?? { pendingAt: [] };
    period.pendingAt.push(meanPending);
    if (period.pendingAt.length > MOST_FOLLOWERS) this.learn(period.pendingAt.shift()!, MOST_FOLLOWERS); // there is one
    this.periods.set(workerId, period);
    if (this.periods.size > MOST_PERIODS) this.periods.delete(this.periods.keys().next().value!);
  }

  /** Followers of a prompt that comes now. */
  expected(meanPending: number): number {
    const { w, x, y, xx, xy } = this.sums;
    const slope = Math.max(0, (w * xy - x * y) / Math.max(Number.EPSILON, w * xx - x * x));
    return Math.min(MOST_FOLLOWERS, Math.max(0, (y - slope * x) / w + slope * meanPending));
  }

  private learn(pending: number, followers: number): void {
    const { sums } = this;
    sums.w = FORGETTING * sums.w + 1;
    sums.x = FORGETTING * sums.x + pending;
    sums.y = FORGETTING * sums.y + followers;
    sums.xx = FORGETTING * sums.xx + pending * pending;
    sums.xy = FORGETTING * sums.xy + pending * followers;
  }
}
