import type { Registration, ServedModel, StateReport } from '#lib/contracts';
import type { StepTimeModel } from './forecast/step-time-model.js';
import { type FetchTimeModels, type IntervalReport, WorkerMirror } from './forecast/worker-mirror.js';
import { prefillOrderOf } from './prefill-order.js';
import { UnleasedGenerations } from './unleased-generations.js';

/** What is known of one life of a worker. */
export interface Member {
  registration: Registration;
  models: ReadonlyMap<string, ServedModel>;
  report: StateReport | undefined;
  reportedAtMs: number;
  lastHeardMs: number;
  isDraining: boolean;
  hasRefused: boolean;
  readonly unleased: UnleasedGenerations;
  readonly mirror: WorkerMirror;
  /** It reports each step; what it says of intervals is then less than what is known. */
  reportsSteps: boolean;
  /** What had been granted in all when the report came. */
  grantedGenerations: number;
  grantedPromptTokens: number;
}

/** @param stepTimes, fetchTimes  of all workers */
export function newMember(
  registration: Registration,
  models: ReadonlyMap<string, ServedModel>,
  stepTimes: StepTimeModel,
  fetchTimes: FetchTimeModels,
  nowMs: number,
): Member {
  return {
    registration,
    models,
    report: undefined,
    reportedAtMs: nowMs,
    lastHeardMs: nowMs,
    isDraining: false,
    hasRefused: false,
    unleased: new UnleasedGenerations(),
    mirror: new WorkerMirror(stepTimes, fetchTimes),
    reportsSteps: false,
    grantedGenerations: 0,
    grantedPromptTokens: 0,
  };
}

/** What it fetched since its last report teaches how long that takes. */
export function noteFetches({ mirror, report: before }: Member, report: StateReport): void {
  const since = (read: (report: StateReport) => number) => read(report) - (before === undefined ? 0 : read(before));
  const note = (from: keyof FetchTimeModels, fetches: number, bytes: number, us: number) => {
    if (fetches > 0 && bytes > 0) mirror.fetched(from, fetches, bytes, us / 1_000);
  };
  note(
    'worker',
    since(({ kvFetches }) => kvFetches),
    since(({ kvFetchedBytes }) => kvFetchedBytes),
    since(({ kvFetchUs }) => kvFetchUs),
  );
  note(
    'kvcache',
    since(({ kvCacheFetches }) => kvCacheFetches),
    since(({ kvCacheFetchedBytes }) => kvCacheFetchedBytes),
    since(({ kvCacheFetchUs }) => kvCacheFetchUs),
  );
}

export function intervalOf(report: StateReport, { models }: Member): IntervalReport {
  const bytesPerToken = Math.max(0, ...[...models.values()].map((model) => model.kvBytesPerToken));
  const tokensOf = (bytes: number) => (bytesPerToken > 0 ? Math.floor(bytes / bytesPerToken) : 0);
  return {
    stepMs: report.stepUs / 1_000,
    // A worker that does not say is taken for one that was never idle.
    stepsPerSecond: report.stepsPerSecond || (report.stepUs > 0 ? 1e6 / report.stepUs : 0),
    prefillTokensPerSecond: report.prefillTokensPerSecond,
    decodeTokensPerSecond: report.tokensPerSecond,
    pendingPrefillTokens: report.pendingPrefillTokens,
    runningSequences: report.runningGenerations,
    contextTokens: tokensOf(report.kvUsedBytes),
    kvTokens: tokensOf(report.kvTotalBytes),
    order: [...models.values()].some((model) => prefillOrderOf(model) === 'srpt') ? 'srpt' : 'fifo',
  };
}

/**
 * Time from a lease to its prompt in the worker's reports, in milliseconds: what was sent this long before a report may be
 * missing in it. Chosen: a few round trips; workers wait as long before they report a change.
 */
const FLIGHT_MS = 10;

/** What the last report says is queued, and what it cannot know of. */
export function queuedPrefillTokens({ report, reportedAtMs, mirror }: Member): number {
  let tokens = report?.pendingPrefillTokens ?? 0;
  for (const { sentAtMs, remainingTokens } of mirror.pending) {
    if (report === undefined || sentAtMs > reportedAtMs - FLIGHT_MS) tokens += remainingTokens;
  }
  return tokens;
}

/** The share of the reported KV that belongs to generations without a lease of ours. */
export function unleasedKvTokens({ report, unleased }: Member, model: ServedModel): number {
  const held = (report?.runningGenerations ?? 0) + (report?.waitingGenerations ?? 0);
  if (report === undefined || held === 0 || model.kvBytesPerToken === 0) return 0;
  return Math.round((report.kvUsedBytes / model.kvBytesPerToken) * Math.min(1, unleased.count / held));
}
