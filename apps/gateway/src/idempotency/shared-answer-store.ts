import type { Logger } from '#lib/observability';
import { AnswerStore, type ClaimedKey, type KnownRequest } from './answer-store.js';

/**
 * The answers of this gateway before those that all share. While the shared store is away this gateway goes on with its own: a
 * retry that reaches another one is then generated, and paid, again.
 */
export class SharedAnswerStore extends AnswerStore {
  constructor(
    private readonly own: AnswerStore,
    private readonly shared: AnswerStore,
    private readonly logger: Logger,
  ) {
    super();
  }

  async claim(claim: ClaimedKey): Promise<KnownRequest | undefined> {
    const known = await this.own.claim(claim);
    if (known !== undefined) return known;
    const elsewhere = await this.attempt(() => this.shared.claim(claim));
    if (elsewhere !== undefined) await this.own.free(claim);
    return elsewhere;
  }

  async renew(claim: ClaimedKey): Promise<void> {
    await this.attempt(() => this.shared.renew(claim));
  }

  async keep(claim: ClaimedKey, body: string): Promise<void> {
    await this.attempt(() => this.shared.keep(claim, body));
    await this.own.keep(claim, body);
  }

  async free(claim: ClaimedKey): Promise<void> {
    await this.attempt(() => this.shared.free(claim));
    await this.own.free(claim);
  }

  private async attempt<Result>(act: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await act();
    } catch (error) {
      this.logger.warn({ error }, 'answers for Idempotency-Key are not shared: Redis cannot be reached');
      return undefined;
    }
  }
}
