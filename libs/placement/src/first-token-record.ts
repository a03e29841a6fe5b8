/** First tokens that are remembered. */
const REMEMBERED = 32;
/** Age at which what was seen says nothing more, in milliseconds; so that a wrong forecast does not refuse for ever. */
const REMEMBERED_MS = 30_000;
/**
 * Share of first tokens that come in time of those that must wait and are let in at the edge. Chosen: under overload all are at the
 * edge, and those that come too late take the places of others.
 */
const SURE_SHARE = 0.9;

interface SeenFirstToken {
  readonly predictedMs: number;
  readonly actualMs: number;
  readonly seenMs: number;
}

/**
 * Times to first token as they were predicted and as they came, for one model: corrects predictions. One is lowered by the middle factor
 * by which they were too high lately, and raised by the time by which most were too low. Says nothing while nothing was seen lately.
 */
export class FirstTokenRecord {
  private seen: SeenFirstToken[] = [];

  note(predictedMs: number, actualMs: number, nowMs: number): void {
    this.seen.push({ predictedMs, actualMs, seenMs: nowMs });
    if (this.seen.length > REMEMBERED) this.seen.shift();
  }

  /**
   * What can be expected where so much is predicted; undefined when nothing is known.
   * @param hasRoom  a worker would take it now: then the middle of what was seen counts, else what most kept
   */
  expectedMs(predictedMs: number, hasRoom: boolean, nowMs: number): number | undefined {
    this.seen = this.seen.filter(({ seenMs }) => nowMs - seenMs <= REMEMBERED_MS);
    if (this.seen.length === 0) return undefined;
    const factors = this.seen.map((one) => one.actualMs / Math.max(one.predictedMs, Number.EPSILON));
    const delaysMs = this.seen.map((one) => one.actualMs - one.predictedMs);
    const factor = Math.min(1, quantile(factors, 0.5));
    return predictedMs * factor + Math.max(0, quantile(delaysMs, hasRoom ? 0.5 : SURE_SHARE));
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!; // there is at least one
}
