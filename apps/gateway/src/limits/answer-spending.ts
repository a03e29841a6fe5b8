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
  private extending: Promise<void> | undefined;
  private hasEnded = false;

  constructor(
    private readonly book: LimitBook,
    private readonly reservation: Reservation,
    private covered: number,
  ) {}

  /** Covers `tokens` more output tokens and counts them as delivered, unless that has to be asked for first. */
  coverAtOnce(tokens: number): boolean {
    if (this.hasEnded || this.delivered + tokens > this.covered) return false;
    this.delivered += tokens;
    this.lookAhead();
    return true;
  }

  /**
   * The same, waiting for what has to be asked for.
   * @throws ApiError insufficient_quota, limits_unavailable: they must not be delivered
   */
  async cover(tokens: number): Promise<void> {
    while (!this.coverAtOnce(tokens)) {
      if (this.hasEnded) throw lapsed();
      await (this.extending ?? this.extend(this.delivered + tokens, this.delivered + tokens));
    }
  }

  /**
   * Reserves as many of `tokens` as fit, and counts none of them.
   * @returns how many may be covered at once
   * @throws ApiError limits_unavailable; insufficient_quota when limits were lowered meanwhile
   */
  async room(tokens: number): Promise<number> {
    await this.extending?.catch(() => {}); // its own failure is told to who asked
    if (this.hasEnded) throw lapsed();
    if (this.delivered + tokens > this.covered) await this.extend(0, this.delivered + tokens);
    return Math.max(0, Math.min(tokens, this.covered - this.delivered));
  }

  /** @throws ApiError insufficient_quota when not one token more fits; limits_unavailable */
  async assertRoom(): Promise<void> {
    if (this.delivered >= this.covered) await this.extend(this.delivered + 1, this.delivered + 1);
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
    const isNear = this.covered - this.delivered < sliceTokens / 2 && this.covered < outputTokens;
    if (isNear && this.extending === undefined) this.extend(0, 0).catch(() => {}); // told when a token needs it
  }

  private extend(needed: number, wished: number): Promise<void> {
    const extending = this.ask(needed, wished).finally(() => {
      if (this.extending === extending) this.extending = undefined;
    });
    this.extending = extending;
    return extending;
  }

  private async ask(needed: number, wished: number): Promise<void> {
    const { sliceTokens, outputTokens } = this.reservation;
    const most = Math.max(wished, Math.min(outputTokens, this.delivered + sliceTokens));
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
