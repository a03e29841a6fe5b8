/** Told what becomes of spans. */
export interface SpanCounts {
  exported(spans: number): void;
  /** @param reason  `queue-full`, or `collector` for what the collector did not take */
  dropped(spans: number, reason: 'queue-full' | 'collector'): void;
}

/** Counts the spans between their request's end and the collector's answer: the bound of what a collector that is away costs. */
export class SpanQueue {
  private waiting = 0;

  constructor(
    private readonly mostSpans: number,
    private readonly counts: SpanCounts,
  ) {}

  /** @returns whether there is room for all spans of a request; otherwise none of them is to be queued */
  admit(spans: number): boolean {
    if (this.waiting + spans > this.mostSpans) {
      this.counts.dropped(spans, 'queue-full');
      return false;
    }
    this.waiting += spans;
    return true;
  }

  settle(spans: number, isTaken: boolean): void {
    this.waiting = Math.max(0, this.waiting - spans);
    if (isTaken) this.counts.exported(spans);
    else this.counts.dropped(spans, 'collector');
  }
}
