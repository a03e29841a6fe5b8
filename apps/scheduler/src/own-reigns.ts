import { type HydraConfig, schedulerTargets } from '#lib/config';
import type { Logger } from '#lib/observability';
import { type FleetState, Reigns } from '#lib/placement';
import { nowMs } from './scheduler-clock.js';

/** What follows when this scheduler begins to place a model, or another one does. */
export interface ReignListener {
  reignBegan(modelId: string, term: number): void;
  /** @returns how many waited for the model here */
  reignEnded(modelId: string, owner: string): number;
}

/** The models that this scheduler places: it claims them and gives them up as other schedulers come and go, and logs it. */
export class OwnReigns {
  private readonly self: string;
  private readonly reigns: Reigns;

  constructor(
    config: HydraConfig,
    private readonly fleet: FleetState,
    private readonly logger: Logger,
    private readonly listener: ReignListener,
  ) {
    this.self = config.scheduler.target;
    this.reigns = new Reigns(this.self, [...new Set([...schedulerTargets(config), this.self])]);
  }

  /** Terms of the models that are placed here. */
  get terms(): ReadonlyMap<string, number> {
    return this.reigns.held;
  }

  /**
   * A request for the model came.
   * @returns who places it instead; undefined when this scheduler does, from now on if it did not before
   */
  otherOwnerOf(modelId: string): string | undefined {
    const owner = this.reigns.ownerOf(modelId);
    if (owner !== this.self) return owner;
    this.claim(modelId);
    return undefined;
  }

  /**
   * No worker of the model has joined this scheduler, while others may have some: it has just begun, perhaps while an earlier life of it
   * still has the workers. Who asks others first is not to wait here, and nothing is claimed.
   */
  mayBeElsewhere(modelId: string): boolean {
    return !this.reigns.isAlone && !this.fleet.serves(modelId);
  }

  /** @param terms  that a worker knows of, by model */
  noteTerms(terms: Readonly<Record<string, number>>): void {
    for (const [modelId, term] of Object.entries(terms)) this.reigns.noteTerm(modelId, term);
  }

  /** Who else lives may have changed, and with it which models are placed here. */
  revise(): void {
    if (this.reigns.isAlone) return;
    this.reigns.noteLiving(this.fleet.schedulers());
    for (const modelId of this.fleet.servedModelIds()) {
      const owner = this.otherOwnerOf(modelId);
      if (owner !== undefined && this.terms.has(modelId)) this.abdicate(modelId, owner);
    }
  }

  private claim(modelId: string): void {
    const { term, isNew } = this.reigns.claim(modelId, nowMs());
    if (!isNew) return;
    this.logger.info({ model: modelId, term }, 'this scheduler places the model');
    this.listener.reignBegan(modelId, term);
  }

  private abdicate(modelId: string, owner: string): void {
    this.reigns.abdicate(modelId);
    const waiting = this.listener.reignEnded(modelId, owner);
    this.logger.info({ model: modelId, owner, waiting }, 'another scheduler places the model');
  }
}
