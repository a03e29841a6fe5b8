import type { Registration, ServedModel, StateReport } from '#lib/contracts';
import type { WorkerMirror } from './forecast/worker-mirror.js';
import type { PrefillOrder } from './prefill-order.js';

/**
 * A worker as a strategy sees it, for one model. Leases are exact at every moment; the report is as old as
 * `reportedAtMs`. What was sent since the report is known, so no decision waits for a metric. It tells what is known when
 * it is asked: read it within the decision, and neither keep nor spread it.
 */
export interface WorkerView {
  /** Where it stands among the workers of its model. */
  readonly place: number;
  readonly workerId: string;
  readonly workerEpoch: number;
  readonly registration: Registration;
  /** The model asked for, as this worker serves it. */
  readonly model: ServedModel;
  readonly isDraining: boolean;
  /** The worker answered `saturated` and has not reported since. */
  readonly hasRefused: boolean;
  /** Generations on the worker: live leases, and those it holds without a lease of ours. */
  readonly load: number;
  /** Sequences on the worker, counted as `load` is. */
  readonly sequences: number;
  /** Sequences at which the worker counts as full: its batch and what may wait beside it. */
  readonly sequenceLimit: number;
  /** Prompt tokens on the worker that are neither computed nor cached, as far as is known; what was just sent counts. */
  readonly queuedPrefillTokens: number;
  /** Tokens of running sequences and queued prompts beyond which the worker counts as full. */
  readonly tokenLimit: number;
  /** Prompt tokens of live leases. */
  readonly leasedPromptTokens: number;
  /** Tokens of KV that live leases are expected to need. */
  readonly leasedKvTokens: number;
  /** Tokens of KV that generations without a lease of ours are reckoned to hold: their share of what was reported. */
  readonly unleasedKvTokens: number;
  /** Generations leased since the last report (since registration before the first). */
  readonly generationsSinceReport: number;
  /** Prompt tokens leased since the last report. */
  readonly promptTokensSinceReport: number;
  /** Absent before the first. */
  readonly report: StateReport | undefined;
  /** When the report came; when the worker registered, before the first. */
  readonly reportedAtMs: number;
  /** In which order it computes prompts. */
  readonly prefillOrder: PrefillOrder;
  /** What it is doing. */
  readonly mirror: WorkerMirror;
}
