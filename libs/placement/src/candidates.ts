import type { WorkerRole } from '#lib/contracts';
import { couldHold, roomFor } from './capacity.js';
import type { PlacementRequest } from './placement-request.js';
import type { WorkerView } from './worker-view.js';

/**
 * Why a worker was left out.
 * | reason | means |
 * |---|---|
 * | role | computes prompts for others only |
 * | adapter | has not loaded the adapter |
 * | too-small | could never hold the request |
 * | draining | takes nothing new |
 * | avoided | just refused or lost this generation, and there is another worker |
 * | reserved | an earlier request waits for it |
 * | full | no place for its sequences, or it just refused somebody |
 * | kv-full | no room in its KV now |
 */
export type FilterReason = 'role' | 'adapter' | 'too-small' | 'draining' | 'avoided' | 'reserved' | 'full' | 'kv-full';

export interface Candidates {
  /** Workers that can take the request now, sorted by id. */
  readonly candidates: readonly WorkerView[];
  readonly filtered: ReadonlyMap<string, FilterReason>;
  /** Workers that lack nothing but room: the request may wait for them. */
  readonly waitsFor: readonly string[];
}

const WORKER_ROLE_PREFILL: WorkerRole = 2; // `WorkerRole.PREFILL`; only types may be imported here

/**
 * The one filter before every strategy.
 * @param workers   sorted by id
 * @param reserved  workers that an earlier waiting request has a claim on
 */
export function selectCandidates(
  request: PlacementRequest,
  workers: readonly WorkerView[],
  reserved: ReadonlySet<string>,
): Candidates {
  const filtered = new Map<string, FilterReason>();
  const isAvoided = ({ workerId }: WorkerView) => request.avoidWorkerIds.includes(workerId);
  const able: WorkerView[] = [];
  for (const worker of workers) {
    const reason = inability(request, worker);
    if (reason === undefined) able.push(worker);
    else filtered.set(worker.workerId, reason);
  }
  const avoids = request.avoidWorkerIds.length > 0 && able.some((worker) => !isAvoided(worker));
  const candidates: WorkerView[] = [];
  const waitsFor: string[] = [];
  for (const worker of able) {
    const reason = avoids && isAvoided(worker) ? 'avoided' : obstacle(request, worker, reserved);
    if (reason === undefined) {
      candidates.push(worker);
      continue;
    }
    filtered.set(worker.workerId, reason);
    if (reason !== 'avoided') waitsFor.push(worker.workerId);
  }
  return { candidates, filtered, waitsFor };
}

/** What will not change by waiting for others to end. */
function inability(request: PlacementRequest, worker: WorkerView): FilterReason | undefined {
  if (worker.registration.role === WORKER_ROLE_PREFILL) return 'role';
  if (request.adapterId !== '' && !hasAdapter(request, worker)) return 'adapter';
  if (!couldHold(request, worker)) return 'too-small';
  return worker.isDraining ? 'draining' : undefined;
}

function obstacle(
  request: PlacementRequest,
  worker: WorkerView,
  reserved: ReadonlySet<string>,
): FilterReason | undefined {
  if (reserved.has(worker.workerId)) return 'reserved';
  const room = roomFor(request, worker);
  return room === 'room' ? undefined : room;
}

function hasAdapter(request: PlacementRequest, worker: WorkerView): boolean {
  return worker.registration.adapters.some(
    (adapter) => adapter.adapterId === request.adapterId && adapter.modelId === request.modelId,
  );
}
