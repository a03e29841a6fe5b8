import { pairsOf } from './attention-pairs.js';
import type { PendingPrompt } from './pending-prompt.js';

/** What prompts come to together. */
export interface Backlog {
  /** Neither computed nor cached. */
  readonly tokens: number;
  /** Attention pairs of those tokens. */
  readonly pairs: number;
  /** Of the whole prompts. */
  readonly contextTokens: number;
}

/**
 * The prompts that one worker has to compute. Each decision asks about those of all workers, and few change in between: so their first blocks
 * and what they come to are at hand, and most prompts are not looked at.
 */
export class PendingPrompts {
  private readonly byGeneration = new Map<string, PendingPrompt>();
  private ordered: PendingPrompt[] = [];
  private keys: number[] = [];
  private readonly sums = { tokens: 0, pairs: 0, contextTokens: 0 };

  get size(): number {
    return this.ordered.length;
  }

  /** In the order they were sent. Not to be read on when one is added or deleted. */
  get inOrder(): readonly PendingPrompt[] {
    return this.ordered;
  }

  /** Of the first block of each, in the same order; NaN where there is none. */
  get firstKeys(): readonly number[] {
    return this.keys;
  }

  get backlog(): Backlog {
    return this.sums;
  }

  get(generationId: string): PendingPrompt | undefined {
    return this.byGeneration.get(generationId);
  }

  /** One that was sent before keeps its place. */
  add(prompt: PendingPrompt): void {
    const before = this.byGeneration.get(prompt.generationId);
    this.byGeneration.set(prompt.generationId, prompt);
    if (before === undefined) {
      this.ordered.push(prompt);
      this.count(prompt);
      return;
    }
    this.ordered[this.ordered.indexOf(before)] = prompt;
    this.recount();
  }

  delete(generationId: string): void {
    const prompt = this.byGeneration.get(generationId);
    if (prompt === undefined) return;
    this.byGeneration.delete(generationId);
    this.ordered.splice(this.ordered.indexOf(prompt), 1);
    this.recount();
  }

  /** These are all from now on. */
  replace(prompts: readonly PendingPrompt[]): void {
    this.byGeneration.clear();
    for (const prompt of prompts) this.byGeneration.set(prompt.generationId, prompt);
    this.ordered = [...this.byGeneration.values()];
    this.recount();
  }

  /** Something of them was computed. */
  recount(): void {
    const { sums } = this;
    this.keys = [];
    sums.tokens = 0;
    sums.pairs = 0;
    sums.contextTokens = 0;
    for (const prompt of this.ordered) this.count(prompt);
  }

  private count({ prefixKeys, promptTokens, remainingTokens }: PendingPrompt): void {
    const { sums } = this;
    this.keys.push(prefixKeys[0] ?? Number.NaN);
    sums.tokens += remainingTokens;
    sums.pairs += pairsOf(promptTokens, remainingTokens);
    sums.contextTokens += promptTokens;
  }
}
