import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { EngineStuckError } from '../engine-stuck-error.js';
import type { EngineThreadInput } from './input.js';
import type { EngineThreadOutput } from './output.js';

/** Chosen: JavaScript ends within milliseconds; a native step in flight has its usual time. */
const DEFAULT_END_TIMEOUT_MS = 5_000;
/**
 * V8's young generation of the thread, in MiB; unbounded it grows to 96 while a model is loaded, and stays. Chosen: a step leaves
 * some tens of kilobytes, so that a collection comes every second or two. With 12 a worker took 3 to 10 MB more (`worker-memory.test.ts`,
 * in turn: 299 against 296 and 289 MB beside weights and KV; November 29, 2026).
 */
const YOUNG_GENERATION_MEBIBYTES = 6;

export interface ThreadLifeOptions {
  /** Module that calls `serveEngine` in the thread. */
  readonly entry: URL;
  /** Reaches the entry as `workerData`. */
  readonly workerData?: unknown;
  /** Time that a thread has to end when it is told to, in milliseconds; then it is stuck. Default 5,000. */
  readonly endTimeoutMs?: number;
  /** Node's options of the thread. Default: the process's. */
  readonly execArgv?: string[];
  /**
   * Called whenever a thread has ended, before another begins: frees what one that broke still held outside of
   * JavaScript's memory, which goes with the process only.
   */
  readonly onThreadGone?: () => void;
}

export interface ThreadListener {
  receive(output: EngineThreadOutput): void;
  /** The thread that was there is none any more: it has ended, or is given up. */
  ended(reason: string): void;
}

/** The threads of an engine, one after another: from the first message to the moment when nothing of one is left. */
export class ThreadLife {
  private worker: Worker | undefined;
  /** Resolves when the last thread is gone. */
  private gone: Promise<void> = Promise.resolve();
  private readonly endTimeoutMs: number;

  constructor(
    private readonly options: ThreadLifeOptions,
    private readonly listener: ThreadListener,
  ) {
    this.endTimeoutMs = options.endTimeoutMs ?? DEFAULT_END_TIMEOUT_MS;
  }

  get isThere(): boolean {
    return this.worker !== undefined;
  }

  /** Begins a thread; the one before must be gone. Resolves when its engine has started. @throws what kept it from that, or the signal's reason */
  begin(signal: AbortSignal): Promise<void> {
    const { entry, workerData, execArgv } = this.options;
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MEBIBYTES };
    const worker = new Worker(entry, { workerData, execArgv, resourceLimits, name: 'engine' });
    const gone = Promise.withResolvers<void>();
    this.worker = worker;
    this.gone = gone.promise;
    let lastError: Error | undefined;
    return new Promise<void>((resolve, reject) => {
      const abort = () => void worker.terminate();
      signal.addEventListener('abort', abort);
      worker.on('message', (output: EngineThreadOutput) => {
        if (output.kind === 'started') {
          signal.removeEventListener('abort', abort); // it is about the start; what runs is ended by `end`
          resolve();
        }
        if (output.kind === 'start-failed') lastError = new Error(output.message);
        this.listener.receive(output);
      });
      worker.on('error', (error) => {
        lastError = error instanceof Error ? error : new Error(String(error));
      });
      worker.on('exit', (code) => {
        signal.removeEventListener('abort', abort);
        this.options.onThreadGone?.();
        gone.resolve();
        const reason = lastError?.message ?? `its thread ended with code ${code}`;
        reject(
          signal.aborted ? signal.reason : (lastError ?? new Error(`The engine could not be started: ${reason}.`)),
        );
        this.leave(worker, reason);
      });
      this.send({ kind: 'start' });
    });
  }

  send(input: EngineThreadInput, moved: readonly ArrayBuffer[] = []): void {
    this.worker?.postMessage(input, moved);
  }

  /** Waits for a thread that was told to stop, and ends it when its time is over. @throws EngineStuckError */
  async end(timeoutMs: number): Promise<void> {
    const { worker } = this;
    if (worker === undefined) return this.untilGone(); // one that hung may still be there
    const timer = setTimeout(() => void worker.terminate(), timeoutMs);
    try {
      await this.untilGone(timeoutMs);
    } finally {
      clearTimeout(timer);
      this.leave(worker, 'it was stopped');
    }
  }

  /** What waits is told at once; whether the thread can be ended shows when it is to be started again. */
  giveUp(reason: string): void {
    const { worker } = this;
    if (worker === undefined) return;
    worker.removeAllListeners('message'); // of generations that are over now
    void worker.terminate();
    this.leave(worker, reason);
  }

  /** @throws EngineStuckError when the thread is there for longer than it may be */
  async untilGone(graceMs = 0): Promise<void> {
    const abort = new AbortController();
    const late = delay(graceMs + this.endTimeoutMs, true, { signal: abort.signal }).catch(() => true);
    const isStuck = await Promise.race([this.gone.then(() => false), late]);
    abort.abort();
    if (isStuck) throw new EngineStuckError();
  }

  private leave(worker: Worker, reason: string): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    this.listener.ended(reason);
  }
}
