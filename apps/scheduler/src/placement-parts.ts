import { randomInt } from 'node:crypto';
import type { HydraConfig } from '#lib/config';
import {
  CacheFleet,
  FleetState,
  KvFollower,
  KvIndex,
  LeaseTable,
  PlacementQueue,
  PrefixUses,
  rememberedPrefixes,
  seededRandom,
} from '#lib/placement';
import type { ModelStrategies } from './model-strategies.js';

/** Workers whose blocks the index can tell apart. */
const KV_INDEX_WORKERS = 256;

/** The pure parts of a scheduler, which share what they know of the fleet. */
export interface PlacementParts {
  readonly leases: LeaseTable;
  readonly fleet: FleetState;
  readonly queue: PlacementQueue;
  readonly prefixes: KvIndex;
  readonly kvFollower: KvFollower;
  readonly caches: CacheFleet;
}

/**
 * As `hydra.yaml` says; some settings may change while the scheduler runs, and are read when they are needed.
 * @param leaseIdPrefix  differs between lives of a scheduler
 */
export function createPlacementParts(
  config: HydraConfig,
  strategies: ModelStrategies,
  leaseIdPrefix: string,
): PlacementParts {
  const { leaseTtlMs, workerTimeoutMs, kvIndexBlocks } = config.scheduler;
  const leases = new LeaseTable({ leaseTtlMs, idPrefix: leaseIdPrefix });
  const room = {
    workerTimeoutMs,
    get waitingPerWorker() {
      return config.scheduler.waitingPerWorker;
    },
    get stepsPerWorker() {
      return config.scheduler.stepsPerWorker;
    },
  };
  const fleet = new FleetState(room, leases);
  const prefixes = new KvIndex({ capacityBlocks: kvIndexBlocks, capacityWorkers: KV_INDEX_WORKERS });
  const caches = new CacheFleet({ capacityBlocks: kvIndexBlocks, timeoutMs: workerTimeoutMs });
  const limits = {
    get queueLength() {
      return config.scheduler.queueLength;
    },
    expectedModelIds: new Set(config.models.map((model) => model.id)),
    get lossGraceMs() {
      return config.scheduler.queueTimeoutMs;
    },
  };
  const queue = new PlacementQueue(limits, {
    fleet,
    leases,
    strategyFor: (modelId) => strategies.strategyFor(modelId),
    random: seededRandom(randomInt(2 ** 32)),
    prefixes,
    caches,
    uses: new PrefixUses(rememberedPrefixes(kvIndexBlocks)),
  });
  return { leases, fleet, queue, prefixes, kvFollower: new KvFollower(prefixes), caches };
}
