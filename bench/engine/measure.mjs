/** A figure that others disturbed by more than this share of the machine is taken again. */
export const TOLERATED_SHARE = 0.05;
const MOST_ATTEMPTS = 3;

/**
 * Asks engines for cases, again when others used the machine meanwhile; the least disturbed answer counts. Both engines
 * have this in the same way, and whether a figure was good plays no part in it.
 * @param {{retakeUntilMs: number, nowMs?: () => number}} options  when time is up, the first answer counts
 */
export function measurer({ retakeUntilMs, nowMs = () => performance.now() }) {
  /**
   * @param {{ask: (kind: string, argument: object) => Promise<{disturbedShare: number}>}} engine
   * @param {string} kind
   * @param {object} argument
   */
  return async function measure(engine, kind, argument, attempts = MOST_ATTEMPTS) {
    let best = await engine.ask(kind, argument);
    for (let attempt = 2; attempt <= attempts; attempt++) {
      if (best.disturbedShare <= TOLERATED_SHARE || nowMs() > retakeUntilMs) break;
      const answer = await engine.ask(kind, argument);
      if (answer.disturbedShare < best.disturbedShare) best = answer;
    }
    return best;
  };
}
