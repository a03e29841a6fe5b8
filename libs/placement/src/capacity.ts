import type { ServedModel } from '#lib/contracts';
import type { PlacementRequest } from './placement-request.js';
import type { WorkerView } from './worker-view.js';

/** Batch of an engine that does not say: vLLM's default `max_num_seqs`. */
const ASSUMED_RUNNING_SEQUENCES = 256;

/**
 * Output tokens counted per sequence when asking whether KV has room now. Chosen: most answers are shorter, engines
 * preempt when one is not, and counting the full bound (often the rest of the context) would leave workers idle.
 */
const EXPECTED_OUTPUT_TOKENS = 256;

/** Prompt tokens that a generated token is worth, as in Sheng et al. 2024 (OSDI 2024), arXiv:2401.00588, and in public prices. */
const OUTPUT_TOKEN_WEIGHT = 2;

/** Budget of a worker that does not say. */
const ASSUMED_STEP_TOKENS = 2_048;

/** Tokens one step may carry. */
export function stepTokensOf(model: ServedModel): number {
  return model.stepTokenBudget || ASSUMED_STEP_TOKENS;
}

/** Sequences at which a worker counts as full. */
export function sequenceLimitOf(model: ServedModel, waitingPerWorker: number): number {
  return (model.maxRunningSequences || ASSUMED_RUNNING_SEQUENCES) + waitingPerWorker;
}

/** Tokens of running sequences and queued prompts beyond which a worker counts as full; a worker that does not tell its budget has no such limit. */
export function tokenLimitOf(model: ServedModel, stepsPerWorker: number): number {
  return model.stepTokenBudget > 0 ? model.stepTokenBudget * stepsPerWorker : Number.POSITIVE_INFINITY;
}

/** Tokens of KV that a request is expected to need; the prompt's are shared by its sequences. */
export function expectedKvTokens(request: PlacementRequest): number {
  return request.promptTokens + expectedOutputTokens(request);
}

/** What a request takes from a worker, in prompt tokens, before it is known what of its prompt is cached and how long its answer is. */
export function expectedServiceTokens(request: PlacementRequest): number {
  return serviceTokens(request.promptTokens, expectedOutputTokens(request));
}

/** Service in prompt tokens; above 0. */
export function serviceTokens(computedPromptTokens: number, outputTokens: number): number {
  return Math.max(1, computedPromptTokens + OUTPUT_TOKEN_WEIGHT * outputTokens);
}

function expectedOutputTokens(request: PlacementRequest): number {
  return Math.min(request.maxOutputTokens, EXPECTED_OUTPUT_TOKENS * request.sequenceCount);
}

/**
 * Whether the worker, empty, could bring each sequence of the request to its longest end; engines run the sequences of one
 * request after one another when not all fit. What the worker does not say does not limit.
 */
export function couldHold(request: PlacementRequest, worker: WorkerView): boolean {
  const sequenceTokens = request.promptTokens + Math.ceil(request.maxOutputTokens / request.sequenceCount);
  if (worker.model.contextTokens > 0 && sequenceTokens > worker.model.contextTokens) return false;
  return sequenceTokens <= kvTokensOf(worker);
}

/**
 * Whether the worker has room now: for its sequences, in its KV, and in its next steps, whose tokens are one for each running
 * sequence and those of prompts that are not computed. An empty worker always has: what it could hold it may start, even when
 * that is more than its limits.
 */
export function roomFor(request: PlacementRequest, worker: WorkerView): 'room' | 'full' | 'kv-full' {
  if (worker.hasRefused) return 'full';
  const { sequences } = worker;
  if (sequences === 0) return 'room';
  if (sequences + request.sequenceCount > worker.sequenceLimit) return 'full';
  if (sequences + worker.queuedPrefillTokens > worker.tokenLimit) return 'full';
  const kvTokens = worker.leasedKvTokens + worker.unleasedKvTokens;
  return kvTokens + expectedKvTokens(request) > kvTokensOf(worker) ? 'kv-full' : 'room';
}

/** How close the worker is to being full, 0 to 1: the fullest of what `roomFor` looks at. At 1 new requests wait. */
export function saturationOf(worker: WorkerView): number {
  if (worker.hasRefused) return 1;
  const kvTokens = worker.leasedKvTokens + worker.unleasedKvTokens;
  const shares = [
    worker.sequences / worker.sequenceLimit,
    (worker.sequences + worker.queuedPrefillTokens) / worker.tokenLimit,
    kvTokens / kvTokensOf(worker),
  ];
  return Math.min(1, Math.max(...shares));
}

function kvTokensOf(worker: WorkerView): number {
  const kvTotalBytes = worker.report?.kvTotalBytes ?? 0;
  if (kvTotalBytes === 0 || worker.model.kvBytesPerToken === 0) return Number.POSITIVE_INFINITY;
  return Math.floor(kvTotalBytes / worker.model.kvBytesPerToken);
}
