import { Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import type { PlacementStrategy, StrategyName } from '#lib/placement';
import { HYDRA_CONFIG } from './scheduler-config.js';

/** Nest token of all strategies, in the order of `STRATEGY_NAMES`. */
export const PLACEMENT_STRATEGIES = Symbol('placement strategies');

/** For models that `hydra.yaml` does not list: the schema's default. */
const STRATEGY_OF_UNLISTED: StrategyName = 'predicted-ttft';

interface NamesByModel {
  readonly models: HydraConfig['models'];
  readonly names: ReadonlyMap<string, StrategyName>;
}

/** Which strategy places which model, as `hydra.yaml` says. */
@Injectable()
export class ModelStrategies {
  private readonly byName: ReadonlyMap<string, PlacementStrategy>;
  /** For the list of models that it was made of: another one takes its place when the file changes. */
  private byModel: NamesByModel;

  constructor(
    @Inject(HYDRA_CONFIG) private readonly config: HydraConfig,
    @Inject(PLACEMENT_STRATEGIES) strategies: readonly PlacementStrategy[],
  ) {
    this.byName = new Map(strategies.map((strategy) => [strategy.name, strategy]));
    this.byModel = namesOf(config);
    for (const name of [STRATEGY_OF_UNLISTED, ...this.byModel.names.values()] as const) this.named(name); // missing ones show at the start
  }

  strategyFor(modelId: string): PlacementStrategy {
    if (this.byModel.models !== this.config.models) this.byModel = namesOf(this.config);
    return this.named(this.byModel.names.get(modelId) ?? STRATEGY_OF_UNLISTED);
  }

  private named(name: StrategyName): PlacementStrategy {
    const strategy = this.byName.get(name);
    if (strategy === undefined) throw new Error(`the placement strategy "${name}" is not provided`);
    return strategy;
  }
}

function namesOf({ models }: HydraConfig): NamesByModel {
  return { models, names: new Map(models.map(({ id, strategy }) => [id, strategy])) };
}
