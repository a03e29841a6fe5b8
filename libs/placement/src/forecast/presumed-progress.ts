import type { PendingPrompt } from './pending-prompt.js';

/**
 * What was taken for computed since a worker's last word, so that it can be taken back when the next one comes.
 */
export class PresumedProgress {
  private readonly before = new Map<string, { readonly prompt: PendingPrompt; readonly remainingTokens: number }>();

  /** So many more tokens of a prompt. */
  presume(prompt: PendingPrompt, tokens: number): void {
    const { generationId, remainingTokens } = prompt;
    if (!this.before.has(generationId)) this.before.set(generationId, { prompt, remainingTokens });
    prompt.remainingTokens -= tokens;
  }

  forget(generationId: string): void {
    this.before.delete(generationId);
  }

  /** @returns all prompts with what was left of them when the worker spoke last or they were sent, in the order they were sent */
  takeBack(pending: Iterable<PendingPrompt>): PendingPrompt[] {
    const presumed = [...this.before.values()].map(({ prompt, remainingTokens }) => ({ ...prompt, remainingTokens }));
    const untouched = [...pending].filter(({ generationId }) => !this.before.has(generationId));
    this.before.clear();
    return [...presumed, ...untouched].sort((a, b) => a.sentAtMs - b.sentAtMs);
  }
}
