import { type Registration, ServedModel, StateReport, Registration as WireRegistration } from '#lib/contracts';
import { PrefixHashes } from '#lib/kv';
import type { CacheFleet } from './caches/cache-fleet.js';
import { FleetState } from './fleet-state.js';
import { ExpectedPrefix } from './forecast/expected-prefix.js';
import { WorkerMirror } from './forecast/worker-mirror.js';
import { KvIndex } from './kv-index/kv-index.js';
import { LeaseTable } from './lease-table.js';
import { PlacementQueue } from './placement-queue.js';
import type { PlacementRequest } from './placement-request.js';
import type { PlacementStrategy } from './placement-strategy.js';
import { PrefixUses } from './prefix-uses.js';
import { seededRandom } from './seeded-random.js';
import type { WorkerView } from './worker-view.js';

let generationCount = 0;

export function request(about: Partial<PlacementRequest> = {}): PlacementRequest {
  return {
    generationId: `g${++generationCount}`,
    tenantId: 't',
    modelId: 'm',
    adapterId: '',
    promptTokens: 100,
    maxOutputTokens: 100,
    sequenceCount: 1,
    prefixHashes: PrefixHashes.of([]),
    sessionKey: '',
    priority: 0,
    attempt: 0,
    avoidWorkerIds: [],
    ttftDeadlineUnixMs: 0,
    explain: false,
    ...about,
  };
}

export function servedModel(about: Partial<ServedModel> = {}): ServedModel {
  return ServedModel.fromPartial({ modelId: 'm', contextTokens: 8_192, maxRunningSequences: 4, ...about });
}

export function registration(workerId: string, about: Partial<Registration> = {}): Registration {
  return WireRegistration.fromPartial({
    workerId,
    workerEpoch: 1,
    target: `${workerId}:1`,
    models: [servedModel()],
    ...about,
  });
}

export function report(about: Partial<StateReport> = {}): StateReport {
  return StateReport.fromPartial(about);
}

export function workerView(workerId: string, about: Partial<WorkerView> = {}): WorkerView {
  return {
    place: 0,
    workerId,
    workerEpoch: 1,
    registration: registration(workerId),
    model: servedModel({ maxRunningSequences: 64 }),
    isDraining: false,
    hasRefused: false,
    load: 0,
    sequences: about.load ?? 0,
    sequenceLimit: 64,
    queuedPrefillTokens: 0,
    tokenLimit: Number.POSITIVE_INFINITY,
    leasedPromptTokens: 0,
    leasedKvTokens: 0,
    unleasedKvTokens: 0,
    generationsSinceReport: 0,
    promptTokensSinceReport: 0,
    report: undefined,
    reportedAtMs: 0,
    prefillOrder: 'fifo',
    mirror: new WorkerMirror(),
    ...about,
  };
}

/** Copies of them as a fleet shows the workers of a model, each in its place. */
export function inPlaces<Workers extends readonly WorkerView[]>(...workers: Workers): Workers {
  return workers.map((worker, place) => ({ ...worker, place })) as readonly WorkerView[] as Workers; // as many
}

/** What workers have of a prompt of which nobody holds anything. */
export function nothingHeld(asked: PlacementRequest, workers: readonly WorkerView[]): ExpectedPrefix {
  return new ExpectedPrefix(asked, workers, emptyIndex());
}

export const emptyIndex = () => new KvIndex({ capacityBlocks: 1_000, capacityWorkers: 32 });

export interface SchedulerSettings {
  readonly queueLength?: number;
  readonly waitingPerWorker?: number;
  readonly workerTimeoutMs?: number;
  readonly leaseTtlMs?: number;
  readonly expectedModelIds?: readonly string[];
  readonly caches?: CacheFleet;
}

/** The pure scheduler: the parts that the app puts together, without a clock. */
export function scheduler(strategy: PlacementStrategy, settings: SchedulerSettings = {}) {
  const { leaseTtlMs = 10_000, workerTimeoutMs = 5_000, waitingPerWorker = 0, queueLength = 100, caches } = settings;
  const stepsPerWorker = 2;
  const prefixes = emptyIndex();
  const leases = new LeaseTable({ leaseTtlMs, idPrefix: 'l' });
  const fleet = new FleetState({ workerTimeoutMs, waitingPerWorker, stepsPerWorker }, leases);
  const expectedModelIds = new Set(settings.expectedModelIds ?? ['m']);
  const queue = new PlacementQueue(
    { queueLength, expectedModelIds, lossGraceMs: 1_000 },
    {
      fleet,
      leases,
      strategyFor: () => strategy,
      random: seededRandom(1),
      prefixes,
      caches,
      uses: new PrefixUses(1_000),
    },
  );
  return { leases, fleet, queue, prefixes };
}
