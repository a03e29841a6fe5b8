import type { ModelRunnerLimits } from '../model-runner.js';
import type { Sequence } from './generation.js';

/** What planning looks at: a view of the loop's state. Planning changes nothing. */
export interface PlanningView {
  readonly limits: ModelRunnerLimits;
  /** Ascending. */
  readonly freeSlots: readonly number[];
  /** Tokens of KV that no live sequence has reserved. */
  readonly freeKvTokens: number;
  /** In the order in which they are to be admitted. */
  readonly waiting: Iterable<Sequence>;
  /** Sequences with a slot, in order of admission. */
  readonly live: readonly Sequence[];
}

export interface Admission {
  readonly sequence: Sequence;
  readonly slot: number;
}

/** The waiting sequences that fit, in order; a large one at the head is not overtaken, so it never starves. */
export function planAdmissions(view: PlanningView): Admission[] {
  const admissions: Admission[] = [];
  let freeKvTokens = view.freeKvTokens;
  if (view.freeSlots.length === 0) return admissions;
  for (const sequence of view.waiting) {
    const slot = view.freeSlots[admissions.length];
    freeKvTokens -= sequence.generation.reservedTokens;
    if (slot === undefined || freeKvTokens < 0) break;
    admissions.push({ sequence, slot });
  }
  return admissions;
}

export interface PlannedChunk {
  readonly sequence: Sequence;
  /** Known tokens [from, to) of the sequence. */
  readonly from: number;
  readonly to: number;
  /** Whether it ends with the last known token: the chunk then gives a token. */
  readonly isLast: boolean;
}

export type StepPlan =
  /** Nothing can be computed now. */
  | { readonly kind: 'deferred'; readonly reason: 'empty' | 'opening' | 'no-credit' }
  /** One decode row for each sequence of `decodes`, split into runs of at most `decodeRows`; then the chunks. */
  | {
      readonly kind: 'step';
      readonly decodes: readonly (readonly Sequence[])[];
      readonly chunks: readonly PlannedChunk[];
    };

/** All sequences that may decode, and beside them one chunk of a prompt (or as many as the runner allows). */
export function planStep({ limits, live }: PlanningView): StepPlan {
  const decoding: Sequence[] = [];
  const chunks: PlannedChunk[] = [];
  const mostChunks = limits.chunksPerStep ?? 1;
  for (const sequence of live) {
    if (sequence.phase === 'decode' && sequence.creditTokens > 0) decoding.push(sequence);
    if (sequence.phase !== 'prefill' || chunks.length >= mostChunks) continue;
    const chunk = nextChunk(sequence, limits.chunkTokens);
    if (chunk !== undefined) chunks.push(chunk);
  }
  if (decoding.length > 0 || chunks.length > 0) {
    decoding.sort((a, b) => a.slot! - b.slot!);
    return { kind: 'step', decodes: inRuns(decoding, limits.decodeRows), chunks };
  }
  if (live.length === 0) return { kind: 'deferred', reason: 'empty' };
  const isOpening = live.some((sequence) => sequence.phase === 'opening');
  return { kind: 'deferred', reason: isOpening ? 'opening' : 'no-credit' };
}

/** A chunk that gives a token needs credit for it; the ones before do not. */
function nextChunk(sequence: Sequence, chunkTokens: number): PlannedChunk | undefined {
  const from = sequence.computedTokens;
  const to = Math.min(from + chunkTokens, sequence.knownTokens);
  const isLast = to === sequence.knownTokens;
  if (isLast && sequence.creditTokens <= 0) return undefined;
  return { sequence, from, to, isLast };
}

function inRuns(sequences: readonly Sequence[], rows: number): Sequence[][] {
  const runs: Sequence[][] = [];
  for (let from = 0; from < sequences.length; from += rows) runs.push(sequences.slice(from, from + rows));
  return runs;
}
