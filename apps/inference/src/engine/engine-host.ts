import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { BackOff } from '#lib/channels';
import { Engine, type EngineEvent } from '#lib/engine';
import { APP_LOGGER, type Logger } from '#lib/observability';

/**
 * - `preparing`: the model is being loaded for the first time
 * - `running`: it can answer
 * - `restarting`: it broke and is being loaded again
 * - `stopped`: for good
 */
export type EnginePhase = 'preparing' | 'running' | 'restarting' | 'stopped';

/** Keeps the engine running: starts it, tells who listens, and starts it again when it breaks. */
@Injectable()
export class EngineHost {
  phase: EnginePhase = 'preparing';
  private readonly backOff = new BackOff({ initialMs: 250, maxMs: 10_000 });
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
  async prepare(): Promise<void> {
    await this.engine.start(this.abort.signal);
    this.enter('running');
  }

  onEvent(listener: (event: EngineEvent) => void): void {
    this.eventListeners.push(listener);
  }

  onPhase(listener: (phase: EnginePhase) => void): void {
    this.phaseListeners.push(listener);
  }

  async stop(): Promise<void> {
    this.enter('stopped');
    this.abort.abort(new Error('the worker is being stopped'));
    await this.engine.stop();
  }

  private receive(event: EngineEvent): void {
    for (const listener of this.eventListeners) listener(event);
    if (event.kind === 'engine-lost') void this.restart(event.message);
  }

  private async restart(reason: string): Promise<void> {
    this.enter('restarting');
    for (let message = reason; this.phase === 'restarting'; ) {
      const inMs = this.backOff.nextMs();
      this.logger.error({ retry_ms: Math.round(inMs) }, `${message}; the engine is started again`);
      try {
        await delay(inMs, undefined, { signal: this.abort.signal });
        await this.engine.start(this.abort.signal);
        this.backOff.reset();
        this.enter('running');
      } catch (error) {
        message = error instanceof Error ? error.message : String(error);
      }
    }
  }

  private enter(phase: EnginePhase): void {
    if (this.phase === phase || this.phase === 'stopped') return;
    this.phase = phase;
    for (const listener of this.phaseListeners) listener(phase);
  }
}
