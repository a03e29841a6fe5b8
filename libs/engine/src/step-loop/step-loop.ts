import { FailureCode, FinishReason, type FrameEntry } from '#lib/contracts';
import type { PrefillOrder } from '#lib/placement';
import type { LoadedAdapter } from '../adapters/adapter-set.js';
import type { EngineEvent, EngineState, SubmitOutcome } from '../engine.js';
import type { ModelRunner } from '../model-runner.js';
import { PrefixStore, type PrefixStoreOptions } from '../prefix/prefix-store.js';
import { acceptToken } from './accept-token.js';
import { planAdmissions } from './admission-plan.js';
import { AwaitedBlocks } from './awaited-blocks.js';
import { ChunkPace } from './chunk-pace.js';
import { isPrefilled } from './computed-in-chunks.js';
import { type CheckedRequest, Generation, type Sequence, type TextSource } from './generation.js';
import { GenerationEnds } from './generation-ends.js';
import { GenerationSet } from './generation-set.js';
import { LoopCounters } from './loop-counters.js';
import { loadOf } from './loop-load.js';
import { type LoopSnapshot, snapshotOf } from './loop-snapshot.js';
import { nowUs } from './now-us.js';
import type { PlanningView } from './planning-view.js';
import { PromptOrder } from './prompt-order.js';
import { refused } from './refusal.js';
import { runStep, type StepResult, type StepTools } from './run-step.js';
import { Slots } from './slots.js';
import { type PlannedStep, planStep } from './step-plan.js';
import { TokenChooser } from './token-chooser.js';
import { Wakeable } from './wakeable.js';

export interface StepLoopOptions {
  /** Generations that may wait for a slot. */
  readonly waitingGenerations: number;
  /**
   * Tokens that each running sequence should still have memory for when another one is admitted. Default 64, chosen: with
   * fewer, admitted sequences are soon preempted again; with more, memory waits for tokens that may never come.
   */
  readonly headroomTokens?: number;
  /** Keeps computed prefixes, where the runner has room for them. */
  readonly prefixes?: Pick<PrefixStoreOptions, 'modelFingerprint' | 'policy'>;
  /** In which order sequences get slots and prompts are computed. Default `fifo`. */
  readonly prefillOrder?: PrefillOrder;
  readonly onEvent: (event: EngineEvent) => void;
}

/**
 * Continuous batching: sequences join and leave between any two steps. A step is planned, placed, run and committed.
 * @see Yu et al., Orca, OSDI 2022 (iteration-level scheduling); Agrawal et al. 2024, arXiv:2403.02310 (chunked prefill)
 */
export class StepLoop {
  private readonly generations = new GenerationSet();
  private readonly prefixes: PrefixStore | undefined;
  private readonly slots: Slots;
  /** Blocks of other stores, and for them. */
  readonly blocks: AwaitedBlocks;
  private readonly ends: GenerationEnds;
  private readonly promptOrder: PromptOrder;
  private readonly pace: ChunkPace;
  private readonly tools: StepTools;
  private readonly counters = new LoopCounters();
  private readonly wakeable = new Wakeable();
  private isStepping = false;
  private isClosed = false;
  private isHandingBack = false;

  constructor(
    private readonly runner: ModelRunner,
    private readonly text: TextSource,
    private readonly options: StepLoopOptions,
  ) {
    this.prefixes = createStore(runner, options);
    this.slots = new Slots(runner, this.prefixes, () => this.wakeable.wake());
    this.blocks = new AwaitedBlocks(this.generations, this.slots, this.prefixes, {
      onEvent: options.onEvent,
      onEnd: () => this.wakeable.wake(),
    });
    this.ends = new GenerationEnds(this.generations, this.slots, this.counters, options.onEvent);
    this.promptOrder = new PromptOrder(options.prefillOrder ?? 'fifo', (sequence) =>
      this.slots.findableTokens(sequence),
    );
    this.pace = new ChunkPace(runner.limits);
    this.tools = {
      runner,
      pace: this.pace,
      chooser: new TokenChooser(runner.limits.vocabularySize, text.table),
      clock: this.counters,
      onPromptEnd: (sequence, logits) => this.slots.keepEnd(sequence, logits),
    };
  }

  /** Most tokens of one sequence. */
  get contextTokens(): number {
    return this.slots.pages.contextTokens;
  }

  /** Steps until closed. Rejects when the runner breaks; the loop is over then. */
  async run(): Promise<void> {
    while (!this.isClosed) {
      this.ends.endCancelled();
      this.ends.endExpired(Date.now());
      if (this.isHandingBack) this.ends.endUnbegun();
      this.isHandingBack = false;
      this.admit();
      const plan = planStep(this.view());
      if (plan.kind === 'deferred') {
        await this.wakeable.untilWoken(this.generations.nextDeadlineMs);
      } else {
        const startedUs = nowUs();
        this.isStepping = true;
        this.place(plan);
        this.commit(plan, await runStep(plan, this.tools));
        this.keepPrefixes();
        this.isStepping = false;
        this.counters.stepUs += nowUs() - startedUs;
        await nextTurn();
      }
    }
  }

  submit(request: CheckedRequest): SubmitOutcome {
    const id = request.generationId;
    if (this.generations.get(id) !== undefined) {
      return refused(FailureCode.INVALID_REQUEST, `The generation ${id} is running already.`, 'generation_id');
    }
    if (this.generations.waiting.length >= this.options.waitingGenerations + this.slots.freeSlots.length) {
      const message = `${this.options.waitingGenerations} generations wait already.`;
      return { ...refused(FailureCode.SATURATED, message), retryAfterMs: 1_000 };
    }
    const generation = new Generation(request, this.text, this.contextTokens, nowUs());
    this.generations.add(generation);
    this.blocks.want(generation);
    this.wakeable.wake();
    return { kind: 'accepted' };
  }

  /** Whether a generation is computed with it. */
  uses(adapter: LoadedAdapter): boolean {
    return this.generations.all().some(({ request }) => request.adapter === adapter);
  }

  cancel(generationId: string): void {
    if (this.generations.cancel(generationId)) this.wakeable.wake();
  }

  credit(generationId: string, tokens: number): void {
    for (const sequence of this.generations.get(generationId)?.sequences ?? []) sequence.creditTokens += tokens;
    this.wakeable.wake();
  }

  /** Before the next step, what has not begun ends. */
  handBack(): void {
    this.isHandingBack = true;
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
    for (const generation of this.generations.all())
      this.ends.fail(generation, FailureCode.ENGINE_ERROR, true, message);
  }

  /** Gives slots to waiting sequences. Their prefixes may take time to be brought; others go on meanwhile. */
  private admit(): void {
    const { preempted, admitted, unserviceable } = planAdmissions(this.view());
    this.preempt(preempted);
    for (const { sequence, slot, kvTokens } of admitted) {
      const openedUs = nowUs();
      sequence.generation.begin(openedUs);
      this.slots.open(sequence, slot, kvTokens, (opened) => {
        this.counters.opened(sequence, opened);
        if (!opened.wasAsked) return;
        sequence.generation.timeline.prefixLookup(sequence.index, openedUs, nowUs(), opened.heldTokens);
      });
      this.generations.admit(sequence);
    }
    for (const { generation } of unserviceable) {
      const message = `It needs more memory for attention state than there is for ${this.contextTokens} tokens.`;
      this.ends.fail(generation, FailureCode.INVALID_REQUEST, false, message);
    }
  }

  /** Slots change hands, grow and move before the step is run. */
  private place({ preempted, growths, moves }: PlannedStep): void {
    this.preempt(preempted);
    for (const { sequence, kvTokens } of growths) this.slots.grow(sequence, kvTokens);
    for (const { sequence, to } of moves) this.slots.move(sequence, to);
  }

  /** Their slots go to others; they wait, to be computed again. */
  private preempt(sequences: readonly Sequence[]): void {
    for (const sequence of sequences) {
      this.generations.dismiss(sequence);
      this.slots.leave(sequence);
      sequence.phase = 'waiting';
      sequence.preemptions++;
      sequence.generation.timeline.preempted(sequence.index, nowUs());
      this.generations.waiting.push(sequence.generation);
    }
    this.counters.preemptions += sequences.length;
  }

  /** One event for the step, then the ends of the generations it ended. */
  private commit(plan: PlannedStep, results: readonly StepResult[]): void {
    this.counters.stepped(plan);
    const entries: FrameEntry[] = [];
    const touched = new Set<Generation>();
    for (const sequence of this.generations.live) sequence.idleSteps++;
    for (const { sequence, choice } of results) {
      if (choice?.kind === 'fault') this.ends.fail(sequence.generation, FailureCode.ENGINE_ERROR, true, choice.message);
    }
    for (const { sequence, computedTokens, choice, promptLogprobs, chunk } of results) {
      if (chunk !== undefined) {
        const { from, startedUs, endedUs } = chunk;
        sequence.generation.timeline.chunk(sequence.index, startedUs, endedUs, from, computedTokens);
      }
      if (sequence.phase === 'ended') continue; // its generation has failed in this step
      promptLogprobs?.forEach((logprobs, index) => {
        sequence.generation.promptLogprobs[sequence.computedTokens + index] = logprobs;
      });
      sequence.computedTokens = computedTokens;
      sequence.promptLogits = undefined;
      sequence.idleSteps = 0;
      if (choice?.kind === 'token') {
        sequence.provenTokens = computedTokens;
        const entry = acceptToken(sequence, choice, this.contextTokens);
        sequence.generation.tokenCame(nowUs());
        this.counters.generatedTokens++;
        entries.push(entry);
        touched.add(sequence.generation);
        if (entry.finishReason !== FinishReason.UNSPECIFIED) this.ends.leave(sequence, entry.finishReason);
      }
      if (sequence.phase === 'prefill' && isPrefilled(sequence, this.runner.limits)) sequence.phase = 'decode';
    }
    if (entries.length > 0) this.options.onEvent({ kind: 'step', step: this.counters.steps, entries });
    for (const generation of touched) this.ends.finishIfEnded(generation);
  }

  /** Blocks that have become full go to the prefix store, a few in each step: a long prompt must not hold up the others. */
  private keepPrefixes(): void {
    let blocks = KEPT_BLOCKS_PER_STEP;
    for (const sequence of this.generations.live) blocks -= this.slots.keepNext(sequence, blocks);
  }

  private view(): PlanningView {
    const { freeSlots, resting, freeKvTokens, openingCount, pages } = this.slots;
    const { live, waiting } = this.generations;
    const now = nowUs();
    return {
      limits: this.runner.limits,
      pace: this.pace,
      pages,
      freeSlots,
      resting,
      freeKvTokens,
      openingCount,
      headroomTokens: this.options.headroomTokens ?? DEFAULT_HEADROOM_TOKENS,
      waiting: this.promptOrder.ofWaiting(waiting.sequences(), now),
      live,
      prefilling: this.promptOrder.ofPrefilling(live, now),
      canCopySlots: this.runner.copySlot !== undefined,
      canMoveSlots: this.runner.moveSlot !== undefined,
    };
  }

  state(): EngineState {
    return {
      ...loadOf(this.runner.limits, this.generations, this.slots.keptKvTokens),
      isStepping: this.isStepping,
      evictedPrefixBlocks: this.prefixes?.evictedBlocks ?? 0,
      ...this.counters.totals(),
    };
  }

  /** For invariants and metrics: everything that must fit together, by value. */
  snapshot(): LoopSnapshot {
    return snapshotOf(this.runner.limits, this.slots, this.generations);
  }
}

const DEFAULT_HEADROOM_TOKENS = 64;
/** Chosen: 256 tokens, a few milliseconds of copying in a small model, beside a step of tens. */
const KEPT_BLOCKS_PER_STEP = 16;

function createStore(runner: ModelRunner, { prefixes, onEvent }: StepLoopOptions): PrefixStore | undefined {
  const { blocks: memory, promptEnds: endMemory } = runner;
  if (memory === undefined || prefixes === undefined) return undefined;
  return new PrefixStore({ ...prefixes, memory, endMemory, onChange: (change) => onEvent({ kind: 'prefix', change }) });
}

/** Lets messages, timers and sockets have their turn between two steps, however fast steps are. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
