import { FailureCode, FinishReason, type FrameEntry, type PositionLogprobs } from '#lib/contracts';
import type { EngineEvent, EngineState, SubmitOutcome } from '../engine.js';
import type { ModelRunner } from '../model-runner.js';
import { acceptToken, entryOf } from './accept-token.js';
import { type CheckedRequest, Generation, type Sequence, type TextSource } from './generation.js';
import { LoopCounters } from './loop-counters.js';
import type { LoopSnapshot } from './loop-snapshot.js';
import { refused } from './refusal.js';
import { Slots } from './slots.js';
import { type PlannedChunk, type PlanningView, planAdmissions, planStep, type StepPlan } from './step-plan.js';
import { type Choice, TokenChooser } from './token-chooser.js';
import { WaitingQueue } from './waiting-queue.js';
import { Wakeable } from './wakeable.js';

export interface StepLoopOptions {
  /** Generations that may wait for a slot. */
  readonly waitingGenerations: number;
  readonly onEvent: (event: EngineEvent) => void;
}

/** What a step computed for one sequence. Nothing of it counts before it is committed. */
interface StepResult {
  readonly sequence: Sequence;
  /** Tokens the slot holds now. */
  readonly computedTokens: number;
  /** Absent for a prompt's chunk that is not its last. */
  readonly choice?: Choice;
  /** Of the tokens after those of a prompt's chunk. */
  readonly promptLogprobs?: readonly PositionLogprobs[];
  /** Whether its slot got the prompt from another one. */
  readonly isForked?: boolean;
}

/**
 * Continuous batching: sequences join and leave between any two steps.
 * @see Yu et al., Orca, OSDI 2022 (iteration-level scheduling); Agrawal et al. 2024, arXiv:2403.02310 (chunked prefill)
 */
export class StepLoop {
  private readonly generations = new Map<string, Generation>();
  private readonly waiting = new WaitingQueue();
  /** Sequences with a slot, in order of admission. */
  private readonly live: Sequence[] = [];
  private readonly cancelledIds = new Set<string>();
  private readonly slots: Slots;
  private readonly chooser: TokenChooser;
  private readonly counters = new LoopCounters();
  private readonly wakeable = new Wakeable();
  private nextDeadlineMs = Infinity;
  private isStepping = false;
  private isClosed = false;

  constructor(
    private readonly runner: ModelRunner,
    private readonly text: TextSource,
    private readonly options: StepLoopOptions,
  ) {
    this.slots = new Slots(runner, () => this.wakeable.wake());
    this.chooser = new TokenChooser(runner.limits.vocabularySize, text.table);
  }

  /** Most tokens of one sequence. */
  get contextTokens(): number {
    return this.slots.contextTokens;
  }

  /** Steps until closed. Rejects when the runner breaks; the loop is over then. */
  async run(): Promise<void> {
    while (!this.isClosed) {
      this.endCancelled();
      this.endExpired();
      this.admit();
      const plan = planStep(this.view());
      if (plan.kind === 'deferred') {
        await this.wakeable.untilWoken(this.nextDeadlineMs);
      } else {
        const startedUs = nowUs();
        this.isStepping = true;
        this.commit(await this.runStep(plan));
        this.isStepping = false;
        this.counters.stepUs += nowUs() - startedUs;
        await nextTurn();
      }
    }
  }

  submit(request: CheckedRequest): SubmitOutcome {
    const id = request.generationId;
    if (this.generations.has(id)) {
      return refused(FailureCode.INVALID_REQUEST, `The generation ${id} is running already.`, 'generation_id');
    }
    if (this.waiting.length >= this.options.waitingGenerations + this.slots.freeSlots.length) {
      const message = `${this.options.waitingGenerations} generations wait already.`;
      return { ...refused(FailureCode.SATURATED, message), retryAfterMs: 1_000 };
    }
    const generation = new Generation(request, this.text, this.slots.contextTokens, nowUs());
    this.generations.set(id, generation);
    this.waiting.push(generation);
    if (request.deadlineUnixMs > 0) this.nextDeadlineMs = Math.min(this.nextDeadlineMs, request.deadlineUnixMs);
    this.wakeable.wake();
    return { kind: 'accepted' };
  }

  cancel(generationId: string): void {
    if (!this.generations.has(generationId)) return;
    this.cancelledIds.add(generationId);
    this.wakeable.wake();
  }

  credit(generationId: string, tokens: number): void {
    for (const sequence of this.generations.get(generationId)?.sequences ?? []) sequence.creditTokens += tokens;
    this.wakeable.wake();
  }

  /** Makes `run` return after the step that is running. */
  close(): void {
    this.isClosed = true;
    this.wakeable.wake();
  }

  /** Ends every generation. Only when `run` is over. */
  failAll(message: string): void {
    this.isStepping = false;
    for (const generation of [...this.generations.values()]) {
      this.fail(generation, FailureCode.ENGINE_ERROR, true, message);
    }
  }

  /** Reserves slots for waiting sequences. Their prefixes may take time to be brought; others go on meanwhile. */
  private admit(): void {
    for (const { sequence, slot } of planAdmissions(this.view())) {
      sequence.generation.begin(nowUs());
      this.live.push(sequence);
      this.slots.open(sequence, slot, (heldTokens) => this.counters.opened(sequence, heldTokens));
      if (!sequence.generation.sequences.some(({ phase }) => phase === 'waiting')) {
        this.waiting.remove(sequence.generation);
      }
    }
  }

  private async runStep(plan: StepPlan & { kind: 'step' }): Promise<StepResult[]> {
    const results: StepResult[] = [];
    for (const sequences of plan.decodes) {
      const logits = await this.runner.decode(
        sequences.map(({ slot, computedTokens, tokenIds }) => ({
          slot: slot!,
          position: computedTokens,
          tokenId: tokenIds[computedTokens]!,
        })),
      );
      for (const [row, sequence] of sequences.entries()) {
        const choice = this.chooser.choose(sequence, logits, row);
        results.push({ sequence, computedTokens: sequence.computedTokens + 1, choice });
      }
    }
    for (const chunk of plan.chunks) results.push(await this.runChunk(chunk));
    for (const { from, to, tokens } of plan.forks) {
      this.runner.copySlot?.({ from: from.slot!, to: to.slot!, tokens });
      results.push({ sequence: to, computedTokens: tokens, isForked: true });
    }
    return results;
  }

  private async runChunk({ sequence, from, to, isLast }: PlannedChunk): Promise<StepResult> {
    const wantsAll = sequence.generation.lacksPromptLogprobs;
    const logits = await this.runner.prefill({
      slot: sequence.slot!,
      position: from,
      tokenIds: sequence.tokenIds.slice(from, to),
      logitsFor: wantsAll ? 'all' : isLast ? 'last' : 'none',
    });
    this.counters.computedPromptTokens += to - from;
    if (logits === undefined) {
      if (isLast || wantsAll) throw new Error('the model runner gave no logits for a chunk of a prompt');
      return { sequence, computedTokens: to };
    }
    const told = wantsAll ? this.chooser.promptLogprobs(sequence, logits, from) : { promptLogprobs: undefined };
    if ('kind' in told) return { sequence, computedTokens: to, choice: told };
    const choice = isLast ? this.chooser.choose(sequence, logits, logits.rows - 1) : undefined;
    return { sequence, computedTokens: to, choice, promptLogprobs: told.promptLogprobs };
  }

  /** One event for the step, then the ends of the generations it ended. */
  private commit(results: readonly StepResult[]): void {
    this.counters.steps++;
    const entries: FrameEntry[] = [];
    const touched = new Set<Generation>();
    for (const { sequence, choice } of results) {
      if (choice?.kind === 'fault') this.fail(sequence.generation, FailureCode.ENGINE_ERROR, true, choice.message);
    }
    for (const { sequence, computedTokens, choice, promptLogprobs, isForked } of results) {
      if (sequence.phase === 'ended') continue; // its generation has failed in this step
      promptLogprobs?.forEach((logprobs, index) => {
        sequence.generation.promptLogprobs[sequence.computedTokens + index] = logprobs;
      });
      sequence.computedTokens = computedTokens;
      if (isForked) sequence.phase = 'decode';
      if (choice?.kind !== 'token') continue;
      const entry = acceptToken(sequence, choice, this.slots.contextTokens);
      sequence.phase = 'decode';
      sequence.generation.tokenCame(nowUs());
      this.counters.generatedTokens++;
      entries.push(entry);
      touched.add(sequence.generation);
      if (entry.finishReason !== FinishReason.UNSPECIFIED) this.leave(sequence, entry.finishReason);
    }
    if (entries.length > 0) this.options.onEvent({ kind: 'step', step: this.counters.steps, entries });
    for (const generation of touched) this.finishIfEnded(generation);
  }

  private endCancelled(): void {
    if (this.cancelledIds.size === 0) return;
    const cancelled = [...this.cancelledIds].map((id) => this.generations.get(id)).filter((it) => it !== undefined);
    this.cancelledIds.clear();
    const open = cancelled.flatMap(({ sequences }) => sequences.filter(({ phase }) => phase !== 'ended'));
    const entries = open.map((sequence) => ({ ...entryOf(sequence), finishReason: FinishReason.CANCELLED }));
    for (const sequence of open) this.leave(sequence, FinishReason.CANCELLED);
    if (entries.length > 0) this.options.onEvent({ kind: 'step', step: this.counters.steps, entries });
    for (const generation of cancelled) this.finishIfEnded(generation);
  }

  private endExpired(): void {
    const nowMs = Date.now();
    if (nowMs < this.nextDeadlineMs) return;
    this.nextDeadlineMs = Infinity;
    for (const generation of [...this.generations.values()]) {
      const deadlineMs = generation.request.deadlineUnixMs;
      if (deadlineMs === 0) continue;
      if (deadlineMs > nowMs) this.nextDeadlineMs = Math.min(this.nextDeadlineMs, deadlineMs);
      else this.fail(generation, FailureCode.DEADLINE_EXCEEDED, false, 'The deadline passed.');
    }
  }

  private finishIfEnded(generation: Generation): void {
    if (!generation.isEnded || !this.forget(generation)) return;
    this.options.onEvent({ kind: 'finished', generationId: generation.id, usage: generation.usage(nowUs()) });
  }

  private fail(generation: Generation, code: FailureCode, retryable: boolean, message: string): void {
    if (!this.forget(generation)) return;
    for (const sequence of generation.sequences) if (sequence.phase !== 'ended') this.leave(sequence, undefined);
    this.options.onEvent({ kind: 'failed', generationId: generation.id, code, retryable, message });
  }

  private leave(sequence: Sequence, finishReason: FinishReason | undefined): void {
    const at = this.live.indexOf(sequence);
    if (at >= 0) this.live.splice(at, 1);
    sequence.phase = 'ended';
    sequence.finishReason = finishReason;
    this.slots.leave(sequence);
  }

  /** @returns false when it had been forgotten before */
  private forget(generation: Generation): boolean {
    this.waiting.remove(generation);
    this.cancelledIds.delete(generation.id);
    return this.generations.delete(generation.id);
  }

  private view(): PlanningView {
    const { freeSlots, freeKvTokens } = this.slots;
    return {
      limits: this.runner.limits,
      freeSlots,
      freeKvTokens,
      waiting: this.waiting.sequences(),
      live: this.live,
      canCopySlots: this.runner.copySlot !== undefined,
    };
  }

  state(): EngineState {
    const { kvBytesPerToken, kvTotalBytes } = this.runner.limits;
    let pendingPrefillTokens = 0;
    for (const { sequences } of this.generations.values()) {
      for (const sequence of sequences) pendingPrefillTokens += sequence.pendingPrefillTokens;
    }
    const heldTokens = this.live.reduce((sum, { computedTokens }) => sum + computedTokens, 0);
    return {
      runningGenerations: this.generations.size - this.waiting.length,
      waitingGenerations: this.waiting.length,
      pendingPrefillTokens,
      kvUsedBytes: heldTokens * kvBytesPerToken,
      kvTotalBytes,
      isStepping: this.isStepping,
      ...this.counters.totals(),
    };
  }

  /** For invariants and metrics: everything that must fit together, by value. */
  snapshot(): LoopSnapshot {
    return {
      limits: this.runner.limits,
      slots: this.slots.snapshot(),
      live: this.live.map(({ slot, phase }) => ({ slot, phase })),
      generations: [...this.generations.values()].map((generation) => ({
        id: generation.id,
        reservedTokens: generation.reservedTokens,
        sequences: generation.sequences.map(({ slot, phase, computedTokens, knownTokens }) => ({
          slot,
          phase,
          computedTokens,
          knownTokens,
        })),
      })),
    };
  }
}

/** Monotonic, in microseconds. */
function nowUs(): number {
  return performance.now() * 1_000;
}

/** Lets messages, timers and sockets have their turn between two steps, however fast steps are. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
