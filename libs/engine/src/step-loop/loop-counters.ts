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
  | 'modelUs'
>;

/** What the loop has done since it began. */
export class LoopCounters {
  steps = 0;
  generatedTokens = 0;
  stepUs = 0;
  preemptions = 0;
  private modelUs = 0;
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

  /** Counts the time of a pass of the model. */
  async timed<T>(pass: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    try {
      return await pass();
    } finally {
      this.modelUs += (performance.now() - startedMs) * 1_000;
    }
  }

  stepped({ prefills }: PlannedStep): void {
    this.steps++;
    for (const { from, to } of prefills.flat()) this.computedPromptTokens += to - from;
  }

  totals(): Totals {
    const { steps, generatedTokens, computedPromptTokens, cachedPromptTokens, queriedPromptTokens, preemptions } = this;
    return {
      steps,
      generatedTokens,
      computedPromptTokens,
      cachedPromptTokens,
      queriedPromptTokens,
      preemptions,
      stepUs: Math.round(this.stepUs),
      modelUs: Math.round(this.modelUs),
    };
  }
}
