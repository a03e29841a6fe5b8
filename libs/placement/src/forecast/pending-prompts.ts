import { shortHash } from '../short-hash.js';
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
  /** Whether the sums are those of the prompts. */
  private isSummedUp = true;

  get size(): number {
    return this.ordered.length;
  }

  /** In the order they were sent. Copy it to go on reading while some are added or deleted. */
  get inOrder(): readonly PendingPrompt[] {
    return this.ordered;
  }

  /** `shortHash` of the first block of each, in the same order; NaN where there is none. */
  get firstKeys(): readonly number[] {
    return this.keys;
  }

  /** Added up from the first to the last, whatever happened before: the same prompts come to the same to the last bit. */
  get backlog(): Backlog {
    if (!this.isSummedUp) this.sumUp();
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
      this.keys.push(firstKeyOf(prompt));
      if (this.isSummedUp) this.count(prompt);
      return;
    }
    const index = this.ordered.indexOf(before);
    this.ordered[index] = prompt;
    this.keys[index] = firstKeyOf(prompt);
    this.isSummedUp = false;
  }

  delete(generationId: string): void {
    const prompt = this.byGeneration.get(generationId);
    if (prompt === undefined) return;
    this.byGeneration.delete(generationId);
    const index = this.ordered.indexOf(prompt);
    this.ordered.splice(index, 1);
    this.keys.splice(index, 1);
    this.isSummedUp = false;
  }

  /** These are all from now on. */
  replace(prompts: readonly PendingPrompt[]): void {
    this.byGeneration.clear();
    for (const prompt of prompts) this.byGeneration.set(prompt.generationId, prompt);
    this.ordered = [...this.byGeneration.values()];
    this.keys = this.ordered.map(firstKeyOf);
    this.isSummedUp = false;
  }

  /** To be called by whoever sets `remainingTokens` of one of them, before the backlog is asked for again. */
  remainingTokensChanged(): void {
    this.isSummedUp = false;
  }

  private sumUp(): void {
    const { sums } = this;
    sums.tokens = 0;
    sums.pairs = 0;
    sums.contextTokens = 0;
    for (const prompt of this.ordered) this.count(prompt);
    this.isSummedUp = true;
  }

  private count({ promptTokens, remainingTokens }: PendingPrompt): void {
    const { sums } = this;
    sums.tokens += remainingTokens;
    sums.pairs += pairsOf(promptTokens, remainingTokens);
    sums.contextTokens += promptTokens;
  }
}

function firstKeyOf({ prefixHashes }: PendingPrompt): number {
  return prefixHashes.length === 0 ? Number.NaN : shortHash(prefixHashes, 0);
}
