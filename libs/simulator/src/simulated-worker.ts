import { inPrefillOrder, type PrefillOrder, prefillUrgency, type StepLoad } from '#lib/placement';
import type { SimulatedCache } from './simulated-cache.js';
import type { SimulatedRequest } from './simulated-request.js';
import { stepSeconds, type WorkerModel } from './worker-model.js';

/** What a worker did in some time. */
interface StepTotals {
  readonly steps: number;
  readonly stepSeconds: number;
  readonly prefillTokens: number;
  readonly decodedTokens: number;
}

const NOTHING_DONE: StepTotals = { steps: 0, stepSeconds: 0, prefillTokens: 0, decodedTokens: 0 };

interface Chunk {
  readonly request: SimulatedRequest;
  readonly tokens: number;
}

/**
 * A worker with continuous batching and chunked prefill, in virtual time: each step gives every decoding sequence one token and
 * fills the rest of its token budget with prompts. Its owner calls `startStep` when there may be work, and `endStep` at
 * `stepEndsS`.
 * | order | prompts get the budget |
 * |---|---|
 * | fifo | partly computed ones in order of admission, then the head of the queue while budget, places and blocks last |
 * | srpt | partly computed and waiting ones, the most urgent first (`prefillUrgency`); the first that finds no room ends admission |
 */
export class SimulatedWorker {
  /** Infinity while no step runs. */
  stepEndsS = Number.POSITIVE_INFINITY;
  stepStartedS = 0;
  /** When the last step ended. */
  lastEndS = Number.NEGATIVE_INFINITY;
  load: StepLoad = { prefillTokens: 0, decodingSequences: 0, contextTokens: 0, attentionPairs: 0 };
  computedPrefillTokens = 0;
  stepCount = 0;

  private totals: StepTotals = NOTHING_DONE;
  private readonly waiting: SimulatedRequest[] = [];
  private readonly prefilling: SimulatedRequest[] = [];
  private chunks: Chunk[] = [];
  private decodingSequences = 0;
  private contextTokens = 0;
  /** Sequences by the step at which they end, so that a step costs no look at each of them. */
  private readonly endingAt = new Map<number, SimulatedRequest[]>();

  constructor(
    readonly index: number,
    private readonly model: WorkerModel,
    private readonly order: PrefillOrder,
    private readonly cache: SimulatedCache,
    private readonly finished: (request: SimulatedRequest) => void,
  ) {}

  get isIdle(): boolean {
    return this.stepEndsS === Number.POSITIVE_INFINITY;
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  get runningCount(): number {
    return this.prefilling.length + this.decodingSequences;
  }

  get decodingCount(): number {
    return this.decodingSequences;
  }

  get decodingContextTokens(): number {
    return this.contextTokens;
  }

  /** Prompt tokens accepted and not computed. */
  pendingPrefillTokens(): number {
    return this.pendingPrompts().reduce((sum, request) => sum + request.remainingPrefillTokens, 0);
  }

  /** Prompts that have been begun, and what is left of each after the step that runs. */
  progress(): { generationId: string; remainingTokens: number }[] {
    return this.prefilling.map((request) => ({
      generationId: request.generationId,
      remainingTokens:
        request.remainingPrefillTokens - (this.chunks.find((chunk) => chunk.request === request)?.tokens ?? 0),
    }));
  }

  /** What it did since it was asked last. */
  takeTotals(): StepTotals {
    const { totals } = this;
    this.totals = NOTHING_DONE;
    return totals;
  }

  /** Whether the whole KV has room for prompt and output; one that it has none for would hold up all behind it for ever. */
  couldHold(request: SimulatedRequest): boolean {
    return this.blocksOf(request) <= this.cache.kvBlocks;
  }

  submit(request: SimulatedRequest): void {
    this.waiting.push(request);
  }

  /** Plans the next step and begins it; does nothing when there is nothing to run. */
  startStep(nowS: number): void {
    const budget = Math.max(0, this.model.tokenBudget - this.decodingSequences);
    this.chunks = this.order === 'fifo' ? this.planInOrder(budget) : this.planByUrgency(budget, nowS);
    if (this.chunks.length === 0 && this.decodingSequences === 0) return;
    let prefillTokens = 0;
    let attentionPairs = 0;
    for (const { request, tokens } of this.chunks) {
      prefillTokens += tokens;
      attentionPairs += tokens * (request.computedTokens + tokens / 2);
    }
    this.load = {
      prefillTokens,
      decodingSequences: this.decodingSequences,
      contextTokens: this.contextTokens,
      attentionPairs,
    };
    this.stepStartedS = nowS;
    this.stepEndsS = nowS + stepSeconds(this.model, this.load);
  }

  /** Applies what the step has computed. */
  endStep(): void {
    const nowS = this.stepEndsS;
    this.stepEndsS = Number.POSITIVE_INFINITY;
    this.lastEndS = nowS;
    this.totals = {
      steps: this.totals.steps + 1,
      stepSeconds: this.totals.stepSeconds + nowS - this.stepStartedS,
      prefillTokens: this.totals.prefillTokens + this.load.prefillTokens,
      decodedTokens: this.totals.decodedTokens + this.load.decodingSequences,
    };
    this.contextTokens += this.decodingSequences;
    this.stepCount++;
    for (const request of this.endingAt.get(this.stepCount) ?? []) this.finishDecoding(request, nowS);
    this.endingAt.delete(this.stepCount);
    for (const { request, tokens } of this.chunks) this.advance(request, tokens, nowS);
  }

  /** Prompts that are not computed yet, those being computed first. */
  private pendingPrompts(): readonly SimulatedRequest[] {
    return [...this.prefilling, ...this.waiting];
  }

  private planInOrder(budget: number): Chunk[] {
    const chunks: Chunk[] = [];
    let left = budget;
    for (const request of this.prefilling) left -= this.addChunk(chunks, request, left);
    while (left > 0 && this.waiting.length > 0 && this.admit(this.waiting[0]!)) {
      left -= this.addChunk(chunks, this.waiting.shift()!, left);
    }
    return chunks;
  }

  private planByUrgency(budget: number, nowS: number): Chunk[] {
    const asTheyCame = [...this.pendingPrompts()].sort((a, b) => a.index - b.index);
    const inOrder = inPrefillOrder(this.order, asTheyCame, (request) => {
      const remaining =
        request.reservation === undefined ? this.uncachedTokens(request) : request.remainingPrefillTokens;
      return prefillUrgency(remaining, (nowS - request.trace.timeS) * 1_000);
    });
    const chunks: Chunk[] = [];
    let left = budget;
    let hasRoom = true;
    for (const request of inOrder) {
      if (left <= 0) break;
      if (request.reservation === undefined) {
        // Those that hold KV go on when there is none for the next: only so does it come free.
        hasRoom &&= this.admit(request);
        if (!hasRoom) continue;
        this.waiting.splice(this.waiting.indexOf(request), 1);
      }
      left -= this.addChunk(chunks, request, left);
    }
    return chunks;
  }

  private addChunk(chunks: Chunk[], request: SimulatedRequest, budget: number): number {
    const tokens = Math.min(request.remainingPrefillTokens, budget);
    if (tokens > 0) chunks.push({ request, tokens });
    return tokens;
  }

  private admit(request: SimulatedRequest): boolean {
    if (this.runningCount >= this.model.maxSeqs) return false;
    const { blockIds, promptTokens } = request.trace;
    const reservation = this.cache.admit(blockIds, this.blocksOf(request));
    if (reservation === undefined) return false;
    request.reservation = reservation;
    request.hitBlocks = reservation.hitBlocks;
    request.hitTokens = Math.min(reservation.hitBlocks * this.model.blockTokens, promptTokens - 1);
    request.computedTokens = request.hitTokens;
    this.prefilling.push(request);
    return true;
  }

  private blocksOf({ trace: { promptTokens, outputTokens } }: SimulatedRequest): number {
    return Math.ceil((promptTokens + outputTokens) / this.model.blockTokens);
  }

  private uncachedTokens(request: SimulatedRequest): number {
    const hitTokens = this.cache.leadingBlocks(request.trace.blockIds) * this.model.blockTokens;
    return Math.max(1, request.trace.promptTokens - hitTokens);
  }

  private advance(request: SimulatedRequest, tokens: number, nowS: number): void {
    const { promptTokens, outputTokens, blockIds } = request.trace;
    const { blockTokens } = this.model;
    const reservation = request.reservation!; // a request with a chunk was admitted
    let position = Math.max(reservation.hitBlocks, Math.floor(request.computedTokens / blockTokens));
    request.computedTokens += tokens;
    this.computedPrefillTokens += tokens;
    for (; position < blockIds.length; position++) {
      if (request.computedTokens < Math.min(promptTokens, (position + 1) * blockTokens)) break;
      this.cache.publish(reservation, position);
    }
    if (request.remainingPrefillTokens > 0) return;
    this.prefilling.splice(this.prefilling.indexOf(request), 1);
    request.firstTokenS = nowS;
    if (outputTokens === 1) this.finish(request, nowS);
    else this.startDecoding(request);
  }

  private startDecoding(request: SimulatedRequest): void {
    this.decodingSequences++;
    this.contextTokens += request.trace.promptTokens + 1;
    const endsAt = this.stepCount + request.trace.outputTokens - 1;
    const ending = this.endingAt.get(endsAt);
    if (ending === undefined) this.endingAt.set(endsAt, [request]);
    else ending.push(request);
  }

  private finishDecoding(request: SimulatedRequest, nowS: number): void {
    this.decodingSequences--;
    this.contextTokens -= request.trace.promptTokens + request.trace.outputTokens;
    this.finish(request, nowS);
  }

  private finish(request: SimulatedRequest, nowS: number): void {
    request.finishedS = nowS;
    const { reservation, earlierUses } = request;
    this.cache.release(reservation!, { answerTokens: request.trace.outputTokens, earlierUses }); // it was admitted
    this.finished(request);
  }
}
