import type { EngineState } from '../engine.js';
import type { Sequence } from './generation.js';
import type { OpenedSlot } from './slots.js';
import type { PlannedStep } from './step-plan.js';

type Totals = Pick<
  EngineState,
  | 'steps'
  | 'generatedTokens'
  | 'computedPromptTokens'
  | 'cachedPromptTokens'
  | 'queriedPromptTokens'
  | 'preemptions'
  | 'stepUs'
>;

/** What the loop has done since it began. */
export class LoopCounters {
  steps = 0;
  generatedTokens = 0;
  stepUs = 0;
  preemptions = 0;
  private computedPromptTokens = 0;
  private cachedPromptTokens = 0;
  private queriedPromptTokens = 0;

  /** A sequence has its slot, and may hold a prefix. What one that was preempted finds again is not told. */
  opened({ generation, index, knownTokens, preemptions }: Sequence, { heldTokens, wasAsked }: OpenedSlot): void {
    if (preemptions > 0) return;
    if (wasAsked) this.queriedPromptTokens += knownTokens;
    this.cachedPromptTokens += heldTokens;
    if (index === 0) generation.cachedPromptTokens = Math.min(heldTokens, generation.promptTokens);
  }

  stepped({ chunks }: PlannedStep): void {
    this.steps++;
    for (const { from, to } of chunks) this.computedPromptTokens += to - from;
  }

  totals(): Totals {
    const { steps, generatedTokens, computedPromptTokens, cachedPromptTokens, queriedPromptTokens, preemptions } = this;
    const stepUs = Math.round(this.stepUs);
    return {
      steps,
      generatedTokens,
      computedPromptTokens,
      cachedPromptTokens,
      queriedPromptTokens,
      preemptions,
      stepUs,
    };
  }
}
