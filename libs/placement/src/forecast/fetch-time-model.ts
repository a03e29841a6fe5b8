/** Before anything was observed: a network of 1 Gbit/s. Chosen: what does not pay there is computed until something was fetched. */
const PRIOR_MS_PER_FETCH = 5;
const PRIOR_MS_PER_MEBIBYTE = 8;
const MEBIBYTE = 1_048_576;
/** Fetches, and mebibytes, that the prior counts for. Chosen: a few fetches outweigh it. */
const PRIOR_WEIGHT = 1;
/** Of one observation in the next: links change sooner than models. */
const FORGETTING = 0.98;

interface Fit {
  readonly latencyMs: number;
  readonly msPerMebibyte: number;
}

/**
 * How long blocks take from one worker to another: `latency + bytes / bandwidth`, both fitted online by least squares with forgetting,
 * for whoever fetches. Nothing of a network is configured.
 */
export class FetchTimeModel {
  /** Weighted sums: of n², n·m, m², n·t, m·t for n fetches of m mebibytes in t milliseconds. */
  private readonly sums = { nn: 0, nm: 0, mm: 0, nt: 0, mt: 0 };
  private hasObserved = false;
  /** What the sums come to; undefined until somebody asks. */
  private fit: Fit | undefined;

  /** @param fleet  what a worker is taken for that has fetched nothing yet */
  constructor(private readonly fleet?: FetchTimeModel) {}

  /** Some fetches, what they brought and how long they took, all together. */
  observe(fetches: number, bytes: number, durationMs: number): void {
    const { sums } = this;
    const mebibytes = bytes / MEBIBYTE;
    sums.nn = FORGETTING * sums.nn + fetches * fetches;
    sums.nm = FORGETTING * sums.nm + fetches * mebibytes;
    sums.mm = FORGETTING * sums.mm + mebibytes * mebibytes;
    sums.nt = FORGETTING * sums.nt + fetches * durationMs;
    sums.mt = FORGETTING * sums.mt + mebibytes * durationMs;
    this.fit = undefined;
    this.hasObserved = true;
  }

  /** Milliseconds of one fetch. */
  fetchMs(bytes: number): number {
    if (!this.hasObserved && this.fleet !== undefined) return this.fleet.fetchMs(bytes);
    this.fit ??= this.fitted();
    const { latencyMs, msPerMebibyte } = this.fit;
    return latencyMs + (bytes / MEBIBYTE) * msPerMebibyte;
  }

  /** Neither is below 0: where the best fit has one there, the other alone is fitted. */
  private fitted(): Fit {
    const nn = this.sums.nn + PRIOR_WEIGHT;
    const mm = this.sums.mm + PRIOR_WEIGHT;
    const { nm } = this.sums;
    const nt = this.sums.nt + PRIOR_WEIGHT * PRIOR_MS_PER_FETCH;
    const mt = this.sums.mt + PRIOR_WEIGHT * PRIOR_MS_PER_MEBIBYTE;
    const determinant = nn * mm - nm * nm; // above 0: the prior alone makes it so
    const latencyMs = (nt * mm - mt * nm) / determinant;
    const msPerMebibyte = (mt * nn - nt * nm) / determinant;
    if (latencyMs < 0) return { latencyMs: 0, msPerMebibyte: mt / mm };
    if (msPerMebibyte < 0) return { latencyMs: nt / nn, msPerMebibyte: 0 };
    return { latencyMs, msPerMebibyte };
  }
}
