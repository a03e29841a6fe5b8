import type { PlacementStrategy } from './placement-strategy.js';
import { AdapterAffinityStrategy } from './strategies/adapter-affinity.js';
import { ConsistentHashStrategy } from './strategies/consistent-hash.js';
import { GpuUtilizationStrategy } from './strategies/gpu-utilization.js';
import { LeastLoadedStrategy } from './strategies/least-loaded.js';
import { LeastPendingPrefillStrategy } from './strategies/least-pending-prefill.js';
import { PowerOfTwoStrategy } from './strategies/power-of-two.js';
import { PredictedTtftStrategy } from './strategies/predicted-ttft.js';
import { PrefixAwareStrategy } from './strategies/prefix-aware.js';
import { RoundRobinStrategy } from './strategies/round-robin.js';
import { type WeightedOptions, WeightedStrategy } from './strategies/weighted.js';

export const STRATEGY_NAMES = [
  'round-robin',
  'least-loaded',
  'consistent-hash',
  'gpu-utilization',
  'power-of-two',
  'least-pending-prefill',
  'prefix-aware',
  'adapter-affinity',
  'weighted',
  'predicted-ttft',
] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

export interface StrategyOptions {
  readonly consistentHashLoadFactor: number;
  readonly weighted: WeightedOptions;
}

export const DEFAULT_STRATEGY_OPTIONS: StrategyOptions = {
  consistentHashLoadFactor: 1.25,
  weighted: { loadFactor: 1.5, weights: { prefix: 3, pending: 2, load: 1, kv: 0 }, pick: 'best' },
};

/** A strategy was asked for by a name that none has. */
export class UnknownStrategyError extends Error {
  constructor(readonly strategyName: string) {
    super(`there is no placement strategy "${strategyName}"; known are ${STRATEGY_NAMES.join(', ')}`);
    this.name = 'UnknownStrategyError';
  }
}

/** @throws UnknownStrategyError */
export function parseStrategyName(name: string): StrategyName {
  const known = STRATEGY_NAMES.find((one) => one === name);
  if (known === undefined) throw new UnknownStrategyError(name);
  return known;
}

export function createStrategy(name: StrategyName, options: StrategyOptions): PlacementStrategy {
  switch (name) {
    case 'round-robin':
      return new RoundRobinStrategy();
    case 'least-loaded':
      return new LeastLoadedStrategy();
    case 'consistent-hash':
      return new ConsistentHashStrategy({ loadFactor: options.consistentHashLoadFactor });
    case 'gpu-utilization':
      return new GpuUtilizationStrategy();
    case 'power-of-two':
      return new PowerOfTwoStrategy();
    case 'least-pending-prefill':
      return new LeastPendingPrefillStrategy();
    case 'prefix-aware':
      return new PrefixAwareStrategy({ loadFactor: options.consistentHashLoadFactor });
    case 'adapter-affinity':
      return new AdapterAffinityStrategy({ loadFactor: options.consistentHashLoadFactor });
    case 'weighted':
      return new WeightedStrategy(options.weighted);
    case 'predicted-ttft':
      return new PredictedTtftStrategy();
    default:
      throw new UnknownStrategyError(name satisfies never);
  }
}
