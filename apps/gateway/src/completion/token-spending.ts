import type { GenerationRequest } from '#lib/contracts';
import type { LimitedUse } from '#lib/limits';

/** Tokens of the prompts and of the longest answers there can be. */
export function mostTokens(requests: readonly GenerationRequest[]): number {
  return requests.reduce(
    (sum, { promptTokenIds, stop, sequenceCount }) =>
      sum + promptTokenIds.length + sequenceCount * (stop?.maxTokens ?? 0),
    0,
  );
}

/** What a request holds of its limits, and what it really spends: the prompts as soon as one token came, and every token. */
export class TokenSpending {
  private use: LimitedUse | undefined;
  private promptTokens = 0;
  private delivered = 0;

  begin(use: LimitedUse, requests: readonly GenerationRequest[]): void {
    this.use = use;
    this.promptTokens = requests.reduce((sum, { promptTokenIds }) => sum + promptTokenIds.length, 0);
  }

  spend(tokens: number): void {
    this.delivered += tokens;
  }

  /** Gives back what was not needed. */
  end(): void {
    const spent = this.delivered === 0 ? 0 : this.promptTokens + this.delivered;
    this.use?.settle(spent, performance.now());
  }
}
