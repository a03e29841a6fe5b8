import { Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import { type AdapterOutcome, type AdapterToLoad, type EngineAdapter, Turns } from '#lib/engine';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { EngineHost } from '../engine/engine-host.js';
import { HYDRA_CONFIG } from '../worker-config.js';
import { WorkerIdentity } from '../worker-identity.js';

/**
 * Sees to it that the engine has the adapters that it is to have: those of `hydra.yaml`, as it is now, and those that were asked for by call. An engine
 * that is started again has none; they are loaded again. One that cannot be loaded is told in the log, and the others are served.
 */
@Injectable()
export class AdapterKeeper {
  /** Times that one was loaded, replaced included, and that one could not be. */
  readonly loads = { succeeded: 0, failed: 0 };
  private readonly listeners: (() => void)[] = [];
  /** By call; a later one of the same name counts. */
  private readonly called = new Map<string, AdapterToLoad>();
  /** Of `hydra.yaml`, as last applied. */
  private configured: ReadonlyMap<string, AdapterToLoad> = new Map();
  private readonly turns = new Turns();
  private hasStarted = false;

  constructor(
    @Inject(HYDRA_CONFIG) private readonly config: HydraConfig,
    private readonly identity: WorkerIdentity,
    private readonly host: EngineHost,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {
    host.onEvent((event) => {
      if (event.kind !== 'adapters') return;
      for (const listener of this.listeners) listener();
    });
    host.onPhase((phase) => {
      if (phase === 'running' && this.hasStarted) void this.apply();
    });
  }

  /** Called whenever other adapters are loaded. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Loads what the configuration names and is not there, other versions included, and unloads what it does not name any more. Resolves when that is done. */
  apply(): Promise<void> {
    this.hasStarted = true;
    return this.turns.take(() => this.applyNow());
  }

  /** Until it is unloaded by call, also over restarts of the engine. */
  load(adapter: AdapterToLoad): Promise<AdapterOutcome> {
    return this.turns.take(async () => {
      const outcome = await this.loadNow(adapter);
      if (outcome.kind === 'done') this.called.set(adapter.adapterId, adapter);
      return outcome;
    });
  }

  /** Also one of the configuration, until that is applied again. */
  async unload(adapterId: string, timeoutMs: number): Promise<AdapterOutcome> {
    this.called.delete(adapterId);
    return this.unloadNow(adapterId, timeoutMs); // it may wait for long, and others need not
  }

  loaded(): readonly EngineAdapter[] {
    return this.host.phase === 'running' ? this.host.engine.adapters() : [];
  }

  private async applyNow(): Promise<void> {
    if (this.host.phase !== 'running') return; // it is applied when it runs
    const { adapters = [] } = this.config.models.find(({ id }) => id === this.identity.model.id) ?? {};
    const before = this.configured;
    this.configured = new Map(adapters.map(({ id, path }) => [id, { adapterId: id, source: path }]));
    for (const adapterId of before.keys()) {
      if (this.configured.has(adapterId) || this.called.has(adapterId)) continue;
      void this.unloadNow(adapterId, this.config.workers.drainTimeoutMs); // it makes room at once where nobody uses it
    }
    for (const adapter of [...this.configured.values(), ...this.called.values()]) await this.loadNow(adapter);
  }

  private async loadNow(adapter: AdapterToLoad): Promise<AdapterOutcome> {
    const before = this.versionOf(adapter.adapterId);
    const outcome = await this.host.engine.loadAdapter(adapter);
    const fields = { adapter_id: adapter.adapterId, source: adapter.source };
    if (outcome.kind === 'refused') {
      this.loads.failed++;
      this.logger.error({ ...fields, reason: outcome.reason }, `adapter not loaded: ${outcome.message}`);
    } else if (outcome.adapter.version !== before) {
      this.loads.succeeded++;
      const { version, rank } = outcome.adapter;
      this.logger.info({ ...fields, version, rank }, before === undefined ? 'adapter loaded' : 'adapter replaced');
    }
    return outcome;
  }

  private async unloadNow(adapterId: string, timeoutMs: number): Promise<AdapterOutcome> {
    const outcome = await this.host.engine.unloadAdapter(adapterId, timeoutMs);
    if (outcome.kind === 'done') this.logger.info({ adapter_id: adapterId }, 'adapter unloaded');
    return outcome;
  }

  private versionOf(adapterId: string): string | undefined {
    return this.host.engine.adapters().find((adapter) => adapter.adapterId === adapterId)?.version;
  }
}
