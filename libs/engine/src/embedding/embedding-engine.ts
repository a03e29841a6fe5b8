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
import { EncoderQueue } from './encoder-queue.js';
import type { EncoderRunner } from './encoder-runner.js';

/** An encoder that is ready to run. */
export interface LoadedEncoder {
  readonly description: EngineDescription;
  readonly runner: EncoderRunner;
}

export interface EmbeddingEngineOptions {
  /** Loads the model; called at each start. Rejects with a sentence for people. */
  readonly load: (signal: AbortSignal) => Promise<LoadedEncoder>;
  /** Requests held at once; further ones are refused as saturated. */
  readonly waitingRequests: number;
}

/** Most inputs of one request: OpenAI's limit. */
export const MAX_EMBEDDING_INPUTS = 2_048;

/** One request on its way through the batches. */
interface Job {
  readonly vectors: Float32Array;
  readonly promptTokens: number;
  readonly arrivedAtMs: number;
  startedAtMs: number | undefined;
  remaining: number;
  settle(outcome: EmbeddingOutcome): void;
}

/**
 * An engine for encoders: inputs of all requests wait in one queue, and each pass takes as many as fit its token budget. It
 * makes vectors only; generations are refused.
 */
export class EmbeddingEngine extends Engine {
  private listener: (event: EngineEvent) => void = () => {};
  private model: LoadedEncoder | undefined;
  private description: EngineDescription | undefined;
  private readonly queue = new EncoderQueue<Job>();
  private readonly jobs = new Set<Job>();
  private working: Promise<void> | undefined;
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

  override onEvent(listener: (event: EngineEvent) => void): void {
    this.listener = listener;
  }

  override state(): EngineState {
    const started = [...this.jobs].filter(({ startedAtMs }) => startedAtMs !== undefined).length;
    return {
      ...IDLE_STATE,
      ...this.counters,
      runningGenerations: started,
      waitingGenerations: this.jobs.size - started,
      isStepping: this.working !== undefined,
      pendingPrefillTokens: tokensOf(this.queue.inputs.map(({ tokenIds }) => tokenIds)),
    };
  }

  override embed(request: EmbeddingRequest, signal: AbortSignal): Promise<EmbeddingOutcome> {
    const { model } = this;
    if (model === undefined) return Promise.resolve(notRunning());
    const refusal = refusalOf(request, model, this.jobs.size >= this.options.waitingRequests);
    if (refusal !== undefined) return Promise.resolve(refusal);
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const { inputs } = request;
      const leave = () => {
        signal.removeEventListener('abort', abort);
        this.jobs.delete(job);
        this.queue.remove(job);
      };
      const job: Job = {
        vectors: new Float32Array(inputs.length * model.runner.limits.dimensions),
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
    const { model } = this;
    if (model === undefined) return;
    this.end('The engine was stopped.');
    await model.runner.close();
    await this.working;
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
        batch.forEach(({ owner, index }, row) => {
          owner.vectors.set(vectors.subarray(row * dimensions, (row + 1) * dimensions), index * dimensions);
          if (--owner.remaining === 0) owner.settle(embedded(owner, dimensions));
        });
      }
    } catch (error) {
      await this.lose(model, error);
    } finally {
      this.working = undefined;
    }
  }

  /** The runner broke: what it holds is not to be trusted any more. */
  private async lose(model: LoadedEncoder, error: unknown): Promise<void> {
    if (this.model !== model) return; // it was stopped
    const message = `The engine failed: ${error instanceof Error ? error.message : String(error)}`;
    this.end(message);
    await model.runner.close().catch(() => {}); // it is broken: that it cannot be closed properly is no news
    this.listener({ kind: 'engine-lost', message });
  }

  private end(message: string): void {
    this.model = undefined;
    for (const job of [...this.jobs]) job.settle(refused(FailureCode.ENGINE_ERROR, message));
  }
}

/** Why a request is not taken; the worker is the authority, whatever the gateway has looked at. */
function refusalOf(
  { modelId, inputs }: EmbeddingRequest,
  { description, runner }: LoadedEncoder,
  isFull: boolean,
): EngineRefusal | undefined {
  const { contextTokens, vocabularySize } = runner.limits;
  if (modelId !== description.model.modelId) {
    return refused(FailureCode.UNKNOWN_MODEL, `This worker does not serve the model ${modelId}.`, 'model');
  }
  if (inputs.length < 1 || inputs.length > MAX_EMBEDDING_INPUTS) {
    const message = `expected 1 to ${MAX_EMBEDDING_INPUTS} inputs, but got ${inputs.length}`;
    return refused(FailureCode.INVALID_REQUEST, message, 'input');
  }
  for (const [index, { length }] of inputs.entries()) {
    if (length >= 1 && length <= contextTokens) continue;
    const message = `expected 1 to ${contextTokens} tokens, but got ${length}`;
    return refused(FailureCode.INVALID_REQUEST, message, `input[${index}]`);
  }
  const stranger = inputs.findIndex((tokenIds) => tokenIds.some((id) => id >= vocabularySize));
  if (stranger !== -1) {
    const message = `a token id is outside the model's vocabulary of ${vocabularySize} tokens`;
    return refused(FailureCode.INVALID_REQUEST, message, `input[${stranger}]`);
  }
  if (isFull)
    return { ...refused(FailureCode.SATURATED, 'Too many requests wait for the encoder.'), retryAfterMs: 100 };
  return undefined;
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
