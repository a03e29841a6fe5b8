import type { EngineState } from '../engine.js';
import type { Sequence } from './generation.js';

type Totals = Pick<
  EngineState,
  'steps' | 'generatedTokens' | 'computedPromptTokens' | 'cachedPromptTokens' | 'queriedPromptTokens' | 'stepUs'
>;

/** What the loop has done since it began. */
export class LoopCounters {
  steps = 0;
  generatedTokens = 0;
  computedPromptTokens = 0;
  stepUs = 0;
  private cachedPromptTokens = 0;
  private queriedPromptTokens = 0;

  /** A sequence has its slot, with `heldTokens` in it. */
  opened({ generation, index, knownTokens }: Sequence, heldTokens: number): void {
    this.queriedPromptTokens += knownTokens;
    this.cachedPromptTokens += heldTokens;
    if (index === 0) generation.cachedPromptTokens = Math.min(heldTokens, generation.promptTokens);
  }

  totals(): Totals {
    const { steps, generatedTokens, computedPromptTokens, cachedPromptTokens, queriedPromptTokens } = this;
    const stepUs = Math.round(this.stepUs);
    return { steps, generatedTokens, computedPromptTokens, cachedPromptTokens, queriedPromptTokens, stepUs };
  }
}
