import { FailureCode, FinishReason } from '#lib/contracts';
import type { EngineEvent } from '../engine.js';
import { entryOf } from './accept-token.js';
import type { Generation, Sequence } from './generation.js';
import type { GenerationSet } from './generation-set.js';
import type { LoopCounters } from './loop-counters.js';
import { nowUs } from './now-us.js';
import type { Slots } from './slots.js';

/** The ends of generations: each ends once, with one event, and its slots and memory are free from then on. Called between two steps only. */
export class GenerationEnds {
  constructor(
    private readonly generations: GenerationSet,
    private readonly slots: Slots,
    private readonly counters: Pick<LoopCounters, 'steps'>,
    private readonly onEvent: (event: EngineEvent) => void,
  ) {}

  /** What was cancelled since the last call; its sequences say so in one more entry each. */
  endCancelled(): void {
    const cancelled = this.generations.takeCancelled();
    const open = cancelled.flatMap(({ sequences }) => sequences.filter(({ phase }) => phase !== 'ended'));
    const entries = open.map((sequence) => ({ ...entryOf(sequence), finishReason: FinishReason.CANCELLED }));
    for (const sequence of open) this.leave(sequence, FinishReason.CANCELLED);
    if (entries.length > 0) this.onEvent({ kind: 'step', step: this.counters.steps, entries });
    for (const generation of cancelled) this.finishIfEnded(generation);
  }

  endExpired(nowUnixMs: number): void {
    for (const generation of this.generations.expired(nowUnixMs)) {
      this.fail(generation, FailureCode.DEADLINE_EXCEEDED, false, 'The deadline passed.');
    }
  }

  /** What has not begun, for another worker to take. */
  endUnbegun(): void {
    for (const generation of this.generations.all()) {
      if (generation.isWaiting)
        this.fail(generation, FailureCode.DRAINING, true, 'This worker drains before it began.');
    }
  }

  finishIfEnded(generation: Generation): void {
    if (!generation.isEnded || !this.generations.remove(generation)) return;
    const endedUs = nowUs();
    this.onEvent({
      kind: 'finished',
      generationId: generation.id,
      usage: generation.usage(endedUs),
      timeline: generation.history(endedUs),
    });
  }

  /** Once: a generation that has ended is left alone. */
  fail(generation: Generation, code: FailureCode, retryable: boolean, message: string): void {
    if (!this.generations.remove(generation)) return;
    for (const sequence of generation.sequences) if (sequence.phase !== 'ended') this.leave(sequence, undefined);
    const timeline = generation.history(nowUs());
    this.onEvent({ kind: 'failed', generationId: generation.id, code, retryable, message, timeline });
  }

  /** @param finishReason  absent when it failed: then nothing of it is kept */
  leave(sequence: Sequence, finishReason: FinishReason | undefined): void {
    this.generations.dismiss(sequence);
    if (finishReason === undefined) this.slots.leave(sequence);
    else this.slots.retire(sequence);
    sequence.phase = 'ended';
    sequence.finishReason = finishReason;
  }
}
