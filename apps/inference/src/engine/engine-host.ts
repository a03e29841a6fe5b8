import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { BackOff } from '#lib/channels';
import { Engine, type EngineEvent, EngineStuckError } from '#lib/engine';
import { APP_LOGGER, type Logger } from '#lib/observability';

/**
 * - `preparing`: the model is being loaded for the first time
 * - `running`: it can answer
 * - `restarting`: it broke and is being loaded again
 * - `lost`: for good; a new process may fare better
 * - `stopped`: for good
 */
export type EnginePhase = 'preparing' | 'running' | 'restarting' | 'lost' | 'stopped';

/** Chosen: an engine that has run for this long was not broken by what broke it before. */
const HEALTHY_AFTER_MS = 30_000;
/** Chosen: with these waits five tries take some eight seconds; then the supervisor's back-off, of minutes, is the better one. */
const RESTARTS_IN_A_ROW = 5;
const BACK_OFF = { initialMs: 250, maxMs: 10_000 };

/** Keeps the engine running: starts it, tells who listens, and starts it again when it breaks, until that is of no use. */
@Injectable()
export class EngineHost {
  phase: EnginePhase = 'preparing';
  /** Times that it broke or hung. */
  losses = 0;
  /** Starts, the first one included. */
  readonly starts = { succeeded: 0, failed: 0 };
  private readonly backOff = new BackOff(BACK_OFF);
  private restartsInARow = 0;
  private runningSinceMs = 0;
  private readonly abort = new AbortController();
  private readonly eventListeners: ((event: EngineEvent) => void)[] = [];
  private readonly phaseListeners: ((phase: EnginePhase) => void)[] = [];

  constructor(
    readonly engine: Engine,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {
    engine.onEvent((event) => this.receive(event));
  }

  /** Loads the model. Rejects with a sentence for people when it cannot. */
  prepare(): Promise<void> {
    return this.start();
  }

  onEvent(listener: (event: EngineEvent) => void): void {
    this.eventListeners.push(listener);
  }

  onPhase(listener: (phase: EnginePhase) => void): void {
    this.phaseListeners.push(listener);
  }

  /** Rejects with an EngineStuckError when the engine cannot be ended. */
  async stop(): Promise<void> {
    this.enter('stopped');
    this.abort.abort(new Error('the worker is being stopped'));
    await this.engine.stop();
  }

  private async start(): Promise<void> {
    try {
      await this.engine.start(this.abort.signal);
    } catch (error) {
      this.starts.failed++;
      throw error;
    }
    this.starts.succeeded++;
    this.runningSinceMs = performance.now();
    this.enter('running');
  }

  private receive(event: EngineEvent): void {
    for (const listener of this.eventListeners) listener(event);
    if (event.kind === 'engine-lost') void this.restart(event.message);
  }

  private async restart(reason: string): Promise<void> {
    this.losses++;
    this.enter('restarting');
    if (performance.now() - this.runningSinceMs >= HEALTHY_AFTER_MS) {
      this.backOff.reset();
      this.restartsInARow = 0;
    }
    for (let message = reason; this.phase === 'restarting'; ) {
      if (this.restartsInARow >= RESTARTS_IN_A_ROW)
        return this.lose(`${message} (${RESTARTS_IN_A_ROW} restarts in a row)`);
      this.restartsInARow++;
      const inMs = this.backOff.nextMs();
      this.logger.error({ retry_ms: Math.round(inMs) }, `${message}; the engine is started again`);
      try {
        await delay(inMs, undefined, { signal: this.abort.signal });
        await this.start();
      } catch (error) {
        message = error instanceof Error ? error.message : String(error);
        if (error instanceof EngineStuckError) return this.lose(message);
      }
    }
  }

  private lose(message: string): void {
    if (this.phase !== 'restarting') return; // it is being stopped
    this.logger.fatal(`The engine is lost: ${message}`);
    this.enter('lost');
  }

  private enter(phase: EnginePhase): void {
    if (this.phase === phase || this.phase === 'stopped') return;
    this.phase = phase;
    for (const listener of this.phaseListeners) listener(phase);
  }
}
