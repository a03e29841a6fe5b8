import { FailureCode, type GenerationRequest } from '#lib/contracts';
import type { EmbeddingOutcome, EmbeddingRequest } from '../engine.js';
import {
  Engine,
  type EngineDescription,
  type EngineEvent,
  type EngineRefusal,
  type EngineState,
  type SubmitOutcome,
} from '../engine.js';
import { IDLE_STATE } from '../idle-state.js';
import { refused } from '../step-loop/refusal.js';
import { invalidityOf, notFinite } from './embedding-refusal.js';
import { EncoderQueue, type WaitingInput } from './encoder-queue.js';
import type { LoadedEncoder } from './encoder-runner.js';

export interface EmbeddingEngineOptions {
  /** Loads the model; called at each start. Rejects with a sentence for people. */
  readonly load: (signal: AbortSignal) => Promise<LoadedEncoder>;
  /** Requests held at once; further ones are refused as saturated. */
  readonly waitingRequests: number;
  /** Tokens of the requests held at once. Default 1,048,576. One request alone may have more. */
  readonly heldTokens?: number;
}

/** Chosen: three requests of the most tokens that gateways let through; two minutes of work for MiniLM on two cores. */
const DEFAULT_HELD_TOKENS = 1_048_576;
/** Inputs of the requests held at once. Chosen: their vectors take 256 MiB at 1,024 dimensions. */
const MAX_HELD_INPUTS = 65_536;

/** One request on its way through the batches. */
interface Job {
  /** Row-major [inputs, dimensions]. */
  readonly vectors: Float32Array;
  readonly inputCount: number;
  readonly promptTokens: number;
  readonly arrivedAtMs: number;
  startedAtMs: number | undefined;
  remaining: number;
  settle(outcome: EmbeddingOutcome): void;
}

/**
 * An engine for encoders: inputs of all requests wait in one queue, and each pass takes as many as fit its token budget. A
 * request that leaves takes along what is not computed yet. It makes vectors only; generations are refused.
 */
export class EmbeddingEngine extends Engine {
  private listener: (event: EngineEvent) => void = () => {};
  private model: LoadedEncoder | undefined;
  private description: EngineDescription | undefined;
  private readonly queue = new EncoderQueue<Job>();
  private readonly jobs = new Set<Job>();
  private working: Promise<void> | undefined;
  /** Resolves when what the last model held is freed. */
  private closed: Promise<void> = Promise.resolve();
  private counters = { steps: 0, computedPromptTokens: 0, stepUs: 0 };

  constructor(private readonly options: EmbeddingEngineOptions) {
    super();
  }

  override async start(signal: AbortSignal): Promise<void> {
    if (this.model !== undefined) throw new Error('The engine is running already.');
    this.model = await this.options.load(signal);
    this.description = this.model.description;
  }

  override describe(): EngineDescription {
    if (this.description === undefined) throw new Error('The engine has not been started.');
    return this.description;
  }

  override submit({ modelId }: GenerationRequest): SubmitOutcome {
    return refused(
      FailureCode.INVALID_REQUEST,
      `The model ${modelId} makes embeddings and cannot generate text.`,
      'model',
    );
  }

  override cancel(): void {}

  override credit(): void {}

  override handBack(): void {
    const refusal = refused(FailureCode.DRAINING, 'This worker drains before it began.');
    for (const job of [...this.jobs]) if (job.startedAtMs === undefined) job.settle(refusal);
  }

  override onEvent(listener: (event: EngineEvent) => void): void {
    this.listener = listener;
  }

  override state(): EngineState {
    const started = [...this.jobs].filter(({ startedAtMs }) => startedAtMs !== undefined).length;
    return {
      ...IDLE_STATE,
      ...this.counters,
      modelUs: this.counters.stepUs, // a step is one run of the model
      runningGenerations: started,
      waitingGenerations: this.jobs.size - started,
      isStepping: this.working !== undefined,
      pendingPrefillTokens: this.queue.tokens,
    };
  }

  override embed(request: EmbeddingRequest, signal: AbortSignal): Promise<EmbeddingOutcome> {
    const { model } = this;
    if (model === undefined) return Promise.resolve(notRunning());
    const refusal = invalidityOf(request, model) ?? this.saturation(request);
    if (refusal !== undefined) return Promise.resolve(refusal);
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const { inputs } = request;
      const leave = () => {
        signal.removeEventListener('abort', abort);
        this.jobs.delete(job);
        this.queue.remove(job);
      };
      const job: Job = {
        vectors: new Float32Array(inputs.length * model.runner.limits.dimensions),
        inputCount: inputs.length,
        promptTokens: tokensOf(inputs),
        arrivedAtMs: performance.now(),
        startedAtMs: undefined,
        remaining: inputs.length,
        settle: (outcome) => {
          leave();
          resolve(outcome);
        },
      };
      const abort = () => {
        leave();
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
      this.jobs.add(job);
      this.queue.add(job, inputs);
      this.working ??= this.work(model);
    });
  }

  override async stop(): Promise<void> {
    const { model, working } = this;
    if (model !== undefined) {
      this.end('The engine was stopped.');
      this.closed = model.runner.close().then(() => working);
    }
    await this.closed;
  }

  /** Take a batch, run it, hand out its vectors; until nothing waits. */
  private async work(model: LoadedEncoder): Promise<void> {
    const { dimensions, batchTokens } = model.runner.limits;
    try {
      await null; // what arrives in the same turn shares the first batch
      for (let batch = this.queue.take(batchTokens); batch.length > 0; batch = this.queue.take(batchTokens)) {
        const beganAtMs = performance.now();
        for (const { owner } of batch) owner.startedAtMs ??= beganAtMs;
        const vectors = await model.runner.encode(batch.map(({ tokenIds }) => tokenIds));
        this.counters.steps++;
        this.counters.stepUs += Math.round((performance.now() - beganAtMs) * 1_000);
        this.counters.computedPromptTokens += tokensOf(batch.map(({ tokenIds }) => tokenIds));
        handOut(batch, vectors, dimensions);
      }
      this.working = undefined;
    } catch (error) {
      this.working = undefined; // before the listener hears of it, who may start again
      await this.lose(model, error);
    }
  }

  private saturation({ inputs }: EmbeddingRequest): EngineRefusal | undefined {
    const { waitingRequests, heldTokens = DEFAULT_HELD_TOKENS } = this.options;
    if (this.jobs.size === 0) return undefined;
    let tokens = tokensOf(inputs);
    let inputCount = inputs.length;
    for (const job of this.jobs) {
      tokens += job.promptTokens;
      inputCount += job.inputCount;
    }
    if (this.jobs.size < waitingRequests && tokens <= heldTokens && inputCount <= MAX_HELD_INPUTS) return undefined;
    return { ...refused(FailureCode.SATURATED, 'Too much waits for the encoder.'), retryAfterMs: 100 };
  }

  /** The runner broke: what it holds is not to be trusted any more. */
  private async lose(model: LoadedEncoder, error: unknown): Promise<void> {
    if (this.model !== model) return; // it was stopped
    const message = `The engine failed: ${error instanceof Error ? error.message : String(error)}`;
    this.end(message);
    this.closed = model.runner.close().catch(() => {}); // it is broken: that it cannot be closed properly is no news
    await this.closed;
    this.listener({ kind: 'engine-lost', message });
  }

  private end(message: string): void {
    this.model = undefined;
    for (const job of [...this.jobs]) job.settle(refused(FailureCode.ENGINE_ERROR, message));
  }
}

/** @param vectors  row-major [batch.length, dimensions] */
function handOut(batch: readonly WaitingInput<Job>[], vectors: Float32Array, dimensions: number): void {
  for (const [row, { owner, index }] of batch.entries()) {
    const vector = vectors.subarray(row * dimensions, (row + 1) * dimensions);
    if (!vector.every(Number.isFinite)) {
      owner.settle(notFinite(index));
      continue;
    }
    owner.vectors.set(vector, index * dimensions);
    if (--owner.remaining === 0) owner.settle(embedded(owner, dimensions));
  }
}

function embedded({ vectors, promptTokens, arrivedAtMs, startedAtMs }: Job, dimensions: number): EmbeddingOutcome {
  const nowMs = performance.now();
  const beganAtMs = startedAtMs ?? nowMs;
  return {
    kind: 'embedded',
    vectors,
    dimensions,
    usage: {
      ...{ promptTokens, completionTokens: 0, cachedPromptTokens: 0, decodeUs: 0 },
      queueUs: Math.round((beganAtMs - arrivedAtMs) * 1_000),
      prefillUs: Math.round((nowMs - beganAtMs) * 1_000),
    },
  };
}

function notRunning(): EngineRefusal {
  return { ...refused(FailureCode.ENGINE_ERROR, 'The engine does not run.'), retryAfterMs: 1_000 };
}

function tokensOf(inputs: readonly (readonly number[])[]): number {
  return inputs.reduce((sum, { length }) => sum + length, 0);
}
