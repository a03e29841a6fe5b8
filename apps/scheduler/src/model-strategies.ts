import { Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import type { PlacementStrategy, StrategyName } from '#lib/placement';
import { HYDRA_CONFIG } from './scheduler-config.js';

/** Nest token of all strategies, in the order of `STRATEGY_NAMES`. */
export const PLACEMENT_STRATEGIES = Symbol('placement strategies');

/** For models that `hydra.yaml` does not list: the schema's default. */
const STRATEGY_OF_UNLISTED = 'predicted-ttft';

/** Which strategy places which model, as `hydra.yaml` says. */
@Injectable()
export class ModelStrategies {
  private readonly byModel: ReadonlyMap<string, PlacementStrategy>;
  private readonly ofUnlisted: PlacementStrategy;

  constructor(
    @Inject(HYDRA_CONFIG) config: HydraConfig,
    @Inject(PLACEMENT_STRATEGIES) strategies: readonly PlacementStrategy[],
  ) {
    const byName = (name: StrategyName) => {
      const strategy = strategies.find((one) => one.name === name);
      if (strategy === undefined) throw new Error(`the placement strategy "${name}" is not provided`);
      return strategy;
    };
    this.byModel = new Map(config.models.map((model) => [model.id, byName(model.strategy)]));
    this.ofUnlisted = byName(STRATEGY_OF_UNLISTED);
  }

  strategyFor(modelId: string): PlacementStrategy {
    return this.byModel.get(modelId) ?? this.ofUnlisted;
  }
}
