import type { LimitBook, Reservation, TokenUse } from '#lib/limits';
import { ApiError } from '#lib/openai';
import { counted, refusalError } from './refusal-error.js';

/**
 * What an answer holds of its limits from its beginning to its end. Every token is covered before it is delivered; the next
 * slice is asked for when half of the last one is left, so that a stream seldom waits for it.
 */
export class AnswerSpending {
  /** Output tokens that were covered and handed on. */
  private delivered = 0;
  /** Output tokens that somebody waits to deliver, with those that were. */
  private promised = 0;
  private extending: Promise<void> | undefined;
  private hasEnded = false;

  constructor(
    private readonly book: LimitBook,
    private readonly reservation: Reservation,
    private covered: number,
  ) {}

  /** Covers `tokens` more output tokens and counts them as delivered, unless that has to be asked for first. */
  coverAtOnce(tokens: number): boolean {
    if (this.hasEnded || this.promised + tokens > this.covered) return false;
    this.promised += tokens;
    this.delivered += tokens;
    this.lookAhead();
    return true;
  }

  /**
   * The same, waiting for what has to be asked for.
   * @throws ApiError insufficient_quota, limits_unavailable: they must not be delivered
   */
  async cover(tokens: number): Promise<void> {
    if (this.coverAtOnce(tokens)) return;
    this.promised += tokens;
    const needed = this.promised;
    while (this.covered < needed) await (this.extending ?? this.extend(needed));
    if (this.hasEnded) throw lapsed();
    this.delivered += tokens;
  }

  /** What was handed on. Its prompts count as computed: what a cache had of them is known at the end of an answer only. */
  get usage(): TokenUse {
    return { promptTokens: this.reservation.promptTokens, cachedTokens: 0, completionTokens: this.delivered };
  }

  /**
   * @param usage  of the whole answer, when it came to its end
   * @param isLost  what was handed on never reached the client: it costs nothing
   */
  end(usage: TokenUse | undefined, isLost = false): void {
    this.hasEnded = true;
    const delivered = isLost ? 0 : this.delivered;
    const hasDelivered = delivered > 0 || usage !== undefined;
    this.book.settle(this.reservation, {
      promptTokens: hasDelivered ? this.reservation.promptTokens : 0,
      cachedTokens: Math.min(usage?.cachedTokens ?? 0, this.reservation.promptTokens),
      completionTokens: delivered,
      outcome: usage === undefined ? 'ended-early' : 'answered',
    });
  }

  private lookAhead(): void {
    const { sliceTokens, outputTokens } = this.reservation;
    const isNear = this.covered - this.promised < sliceTokens / 2 && this.covered < outputTokens;
    if (isNear && this.extending === undefined) this.extend(0).catch(() => {}); // told when a token needs it
  }

  private extend(needed: number): Promise<void> {
    this.extending = this.ask(needed).finally(() => {
      this.extending = undefined;
    });
    return this.extending;
  }

  private async ask(needed: number): Promise<void> {
    const { sliceTokens, outputTokens } = this.reservation;
    const most = Math.max(needed, Math.min(outputTokens, this.promised + sliceTokens));
    const decision = await counted(() => this.book.extend(this.reservation, Math.max(needed, this.covered), most));
    switch (decision.kind) {
      case 'covered':
        this.covered = Math.max(this.covered, decision.coveredTokens);
        return;
      case 'refused':
        throw refusalError(decision.refusal);
      case 'lapsed':
        throw lapsed();
      default:
        decision satisfies never;
    }
  }
}

function lapsed(): ApiError {
  return new ApiError('limits_unavailable', 'What was reserved for this answer has lapsed.');
}
