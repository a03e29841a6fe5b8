import { FailureCode, type GenerationRequest } from '#lib/contracts';
import {
  type AdapterOutcome,
  type AdapterToLoad,
  adapterRefused,
  type EngineAdapter,
} from '../adapters/engine-adapter.js';
import type { EmbeddingOutcome, EmbeddingRequest } from '../engine.js';
import { Engine, type EngineDescription, type EngineEvent, type EngineState, type SubmitOutcome } from '../engine.js';
import { IDLE_STATE } from '../idle-state.js';
import type { StoredBlock } from '../prefix/stored-block.js';
import { refused } from '../step-loop/refusal.js';
import type { EngineThreadInput } from './input.js';
import type { EngineThreadOutput } from './output.js';
import { ThreadCalls } from './thread-calls.js';
import { ThreadEmbeddings } from './thread-embeddings.js';
import { fromThreadEvent } from './thread-event.js';
import { ThreadLife, type ThreadLifeOptions } from './thread-life.js';
import { Watchdog } from './watchdog.js';

/** Chosen: some forty times a chunk of 256 tokens of a 135 M model on two cores (0.7 s, November 2026). */
const DEFAULT_STEP_TIMEOUT_MS = 30_000;
const DEFAULT_STOP_TIMEOUT_MS = 5_000;

export interface EngineThreadOptions extends ThreadLifeOptions {
  /** Time that `stop` gives the engine before the thread is ended, in milliseconds. Default 5,000. */
  readonly stopTimeoutMs?: number;
  /** A step that takes longer is taken for hung and the thread is ended, in milliseconds. Default 30,000. */
  readonly stepTimeoutMs?: number;
}

const NOT_RUNNING = adapterRefused('unavailable', 'The engine does not run.');

/**
 * An engine in a thread of its own, so that its steps and the process's sockets do not wait for each other. When the
 * thread ends, however, or hangs, every open generation fails with a retryable ENGINE_ERROR; `start` begins a new thread
 * once the old one is gone. One that is stuck in a native call never is: then `start` and `stop` reject.
 */
export class EngineThread extends Engine {
  private listener: (event: EngineEvent) => void = () => {};
  private readonly life: ThreadLife;
  private description: EngineDescription | undefined;
  private lastState: EngineState = IDLE_STATE;
  private readonly openIds = new Set<string>();
  private readonly embeddings = new ThreadEmbeddings((input) => this.send(input));
  private readonly calls = new ThreadCalls();
  private loadedAdapters: readonly EngineAdapter[] = [];
  private isStarted = false;
  private isStopping = false;
  private readonly watchdog: Watchdog;
  private readonly stepTimeoutMs: number;
  private readonly stopTimeoutMs: number;

  constructor(options: EngineThreadOptions) {
    super();
    this.life = new ThreadLife(options, {
      receive: (output) => this.receive(output),
      ended: (reason) => this.threadEnded(reason),
    });
    this.stepTimeoutMs = options.stepTimeoutMs ?? DEFAULT_STEP_TIMEOUT_MS;
    this.stopTimeoutMs = options.stopTimeoutMs ?? DEFAULT_STOP_TIMEOUT_MS;
    this.watchdog = new Watchdog({
      timeoutMs: this.stepTimeoutMs,
      isBusy: () => this.openIds.size > 0 || this.embeddings.size > 0,
      ask: () => this.send({ kind: 'ask' }),
      onHang: () => this.life.giveUp(`a step did not end within ${this.stepTimeoutMs / 1_000} s`),
    });
  }

  override async start(signal: AbortSignal): Promise<void> {
    this.assertNotRunning();
    signal.throwIfAborted();
    await this.life.untilGone();
    this.assertNotRunning();
    signal.throwIfAborted();
    this.isStopping = false;
    return this.life.begin(signal);
  }

  override describe(): EngineDescription {
    if (this.description === undefined) throw new Error('The engine has not been started.');
    return this.description;
  }

  override submit(request: GenerationRequest): SubmitOutcome {
    const { generationId } = request;
    if (!this.isStarted || this.isStopping) {
      return { ...refused(FailureCode.ENGINE_ERROR, 'The engine does not run.'), retryAfterMs: 1_000 };
    }
    if (this.openIds.has(generationId)) {
      return refused(
        FailureCode.INVALID_REQUEST,
        `The generation ${generationId} is running already.`,
        'generation_id',
      );
    }
    this.openIds.add(generationId);
    this.send({ kind: 'submit', request });
    return { kind: 'accepted' };
  }

  override cancel(generationId: string, reason: string): void {
    if (this.openIds.has(generationId)) this.send({ kind: 'cancel', generationId, reason });
  }

  override credit(generationId: string, tokens: number): void {
    if (this.openIds.has(generationId)) this.send({ kind: 'credit', generationId, tokens });
  }

  override handBack(): void {
    this.send({ kind: 'hand-back' });
  }

  override embed(request: EmbeddingRequest, signal: AbortSignal): Promise<EmbeddingOutcome> {
    if (!this.isStarted || this.isStopping) {
      const refusal = refused(FailureCode.ENGINE_ERROR, 'The engine does not run.');
      return Promise.resolve({ ...refusal, retryAfterMs: 1_000 });
    }
    return this.embeddings.call(request, signal);
  }

  override loadAdapter(adapter: AdapterToLoad): Promise<AdapterOutcome> {
    if (!this.isStarted || this.isStopping) return Promise.resolve(NOT_RUNNING);
    return this.calls.call('load-adapter', (callId) => this.send({ kind: 'load-adapter', callId, adapter }));
  }

  override unloadAdapter(adapterId: string, timeoutMs: number): Promise<AdapterOutcome> {
    if (!this.isStarted || this.isStopping) return Promise.resolve(NOT_RUNNING);
    return this.calls.call('unload-adapter', (callId) =>
      this.send({ kind: 'unload-adapter', callId, adapterId, timeoutMs }),
    );
  }

  override adapters(): readonly EngineAdapter[] {
    return this.loadedAdapters;
  }

  override heldBlocks(hashes: readonly string[]): Promise<number> {
    if (!this.isStarted) return Promise.resolve(0);
    return this.calls.call('held-blocks', (callId) => this.send({ kind: 'held-blocks', callId, hashes }));
  }

  override readBlocks(hashes: readonly string[]): Promise<readonly StoredBlock[]> {
    if (!this.isStarted) return Promise.resolve([]);
    return this.calls.call('read-blocks', (callId) => this.send({ kind: 'read-blocks', callId, hashes }));
  }

  override giveBlocks(
    generationId: string,
    firstBlock: number,
    data: readonly Uint8Array<ArrayBuffer>[],
  ): Promise<number> {
    if (!this.openIds.has(generationId)) return Promise.resolve(0);
    const moved = data.map(({ buffer }) => buffer);
    return this.calls.call('give-blocks', (callId) =>
      this.send({ kind: 'give-blocks', callId, generationId, firstBlock, data }, moved),
    );
  }

  override endBlocks(generationId: string): void {
    if (this.openIds.has(generationId)) this.send({ kind: 'end-blocks', generationId });
  }

  override onEvent(listener: (event: EngineEvent) => void): void {
    this.listener = listener;
  }

  override state(): EngineState {
    return this.lastState;
  }

  override async stop(): Promise<void> {
    if (this.life.isThere && !this.isStopping) {
      this.isStopping = true;
      this.send({ kind: 'stop' });
    }
    await this.life.end(this.stopTimeoutMs);
  }

  private receive(output: EngineThreadOutput): void {
    switch (output.kind) {
      case 'started':
        this.description = output.description;
        this.isStarted = true;
        this.lastState = output.state;
        this.watchdog.start();
        return;
      case 'events':
        this.lastState = output.state;
        this.watchdog.heard(output.state);
        for (const event of output.events) {
          if (event.kind === 'adapters') this.loadedAdapters = event.adapters;
          if (event.kind === 'engine-lost') continue; // said when the thread has ended: only then can it be started again
          if (event.kind === 'finished' || event.kind === 'failed') this.openIds.delete(event.generationId);
          this.listener(fromThreadEvent(event));
        }
        return;
      case 'embedded':
        this.lastState = output.state;
        this.watchdog.heard(output.state);
        this.embeddings.settle(output.callId, output.outcome);
        return;
      case 'answered':
        this.calls.settle(output.callId, output.answer);
        return;
      case 'start-failed':
      case 'stopped':
        return;
      default:
        output satisfies never;
    }
  }

  private assertNotRunning(): void {
    if (this.life.isThere) throw new Error('The engine is running already.');
  }

  private threadEnded(reason: string): void {
    this.watchdog.stop();
    this.loadedAdapters = [];
    const wasStarted = this.isStarted;
    this.isStarted = false;
    this.lastState = {
      ...this.lastState,
      runningGenerations: 0,
      waitingGenerations: 0,
      pendingPrefillTokens: 0,
      kvUsedBytes: 0,
      kvCachedBytes: 0,
    };
    const message = this.isStopping ? 'The engine was stopped.' : `The engine failed: ${reason}`;
    for (const generationId of [...this.openIds]) {
      this.openIds.delete(generationId);
      this.listener({ kind: 'failed', generationId, code: FailureCode.ENGINE_ERROR, retryable: true, message });
    }
    this.embeddings.failAll(message);
    this.calls.endAll();
    if (wasStarted && !this.isStopping) this.listener({ kind: 'engine-lost', message });
  }

  private send(input: EngineThreadInput, moved: readonly ArrayBuffer[] = []): void {
    this.life.send(input, moved);
  }
}
