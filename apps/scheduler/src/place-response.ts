import {
  type KvSource,
  KvSourceKind,
  type PlaceResponse,
  type Lease as WireLease,
  RefusalReason as WireReason,
} from '#lib/contracts';
import type { BlocksElsewhere, PlacementAnswer, PlacementExplanation, RefusalReason } from '#lib/placement';
import type { DeskAnswer } from './askers.js';
import { toUnixMs } from './scheduler-clock.js';

/** `superseded` is missing: it is answered by the status ABORTED, since its caller is gone. */
const WIRE_REASONS: Readonly<Record<Exclude<RefusalReason, 'superseded'>, WireReason>> = {
  'no-worker': WireReason.NO_WORKER,
  'queue-full': WireReason.QUEUE_FULL,
  'wait-expired': WireReason.WAIT_EXPIRED,
  unserviceable: WireReason.UNSERVICEABLE,
  'deadline-unreachable': WireReason.DEADLINE_UNREACHABLE,
  'attempts-exhausted': WireReason.ATTEMPTS_EXHAUSTED,
  // No word of its own on the wire: callers treat it as they treat any passing want of a worker.
  'strategy-failed': WireReason.UNSPECIFIED,
  'shutting-down': WireReason.SHUTTING_DOWN,
};

/**
 * @param explains  whether the caller asked how the decision came about
 * @returns undefined when a later call of the same generation took over
 */
export function toPlaceResponse(answer: DeskAnswer, leaseTtlMs: number, explains: boolean): PlaceResponse | undefined {
  if (answer.kind === 'redirected') {
    const outcome = { $case: 'redirect', value: { target: answer.target } } as const;
    return { outcome, waitedUs: 0, explanation: undefined };
  }
  const waitedUs = Math.max(0, Math.round(answer.waitedMs * 1_000));
  if (answer.kind === 'placed') {
    const explanation = explains && answer.explanation ? toWireExplanation(answer.explanation) : undefined;
    const lease = toWireLease(answer, answer.term, leaseTtlMs);
    return { outcome: { $case: 'lease', value: lease }, waitedUs, explanation };
  }
  const { reason, message, retryAfterMs } = answer.refusal;
  if (reason === 'superseded') return undefined;
  const refused = { reason: WIRE_REASONS[reason], message, retryAfterMs };
  return { outcome: { $case: 'refused', value: refused }, waitedUs, explanation: undefined };
}

function toWireLease(
  { lease, target, kvSources, earlierUses }: PlacementAnswer & { kind: 'placed' },
  term: number,
  leaseTtlMs: number,
): WireLease {
  const { leaseId, workerId, workerEpoch, attempt } = lease;
  const expiresAtUnixMs = toUnixMs(lease.expiresAtMs);
  return {
    leaseId,
    workerId,
    workerEpoch,
    target,
    expiresAtUnixMs,
    leaseTtlMs,
    attempt,
    kvSources: kvSources.map(toWireSource),
    term,
    expectedCachedTokens: lease.cachedTokens,
    earlierUses: [...earlierUses],
  };
}

function toWireSource({ kind: from, target, blockHashes }: BlocksElsewhere): KvSource {
  const kind = from === 'worker' ? KvSourceKind.WORKER : KvSourceKind.KVCACHE;
  return { target, kind, blockHashes: blockHashes.toArray() };
}

function toWireExplanation(explanation: PlacementExplanation) {
  const { strategy, chosenWorkerId, fetchedFromWorkerId, fetchedFromCacheIds } = explanation;
  const candidates = explanation.candidates.map(({ workerId, filteredBy, terms }) => ({
    workerId,
    filteredBy,
    terms: { ...terms },
  }));
  return { strategy, candidates, chosenWorkerId, fetchedFromWorkerId, fetchedFromCacheIds: [...fetchedFromCacheIds] };
}
