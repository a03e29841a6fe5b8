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
  /** Whether a prompt that several sequences share is computed once. */
  readonly canCopySlots: boolean;
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

/** The prompt, but for its last token, goes from one sequence to another of its generation. */
export interface PlannedFork {
  readonly from: Sequence;
  readonly to: Sequence;
  readonly tokens: number;
}

export type StepPlan =
  /** Nothing can be computed now. */
  | { readonly kind: 'deferred'; readonly reason: 'empty' | 'opening' | 'no-credit' }
  /**
   * One decode row for each sequence of `decodes`, split into runs of at most `decodeRows`; then the chunks; then the
   * forks, whose sequences compute the prompt's last token as a decode row of the next step.
   */
  | {
      readonly kind: 'step';
      readonly decodes: readonly (readonly Sequence[])[];
      readonly chunks: readonly PlannedChunk[];
      readonly forks: readonly PlannedFork[];
    };

/** All sequences that may decode, and beside them one chunk of a prompt (or as many as the runner allows). */
export function planStep({ limits, live, canCopySlots }: PlanningView): StepPlan {
  const decoding: Sequence[] = [];
  const chunks: PlannedChunk[] = [];
  const forks: PlannedFork[] = [];
  const mostChunks = limits.chunksPerStep ?? 1;
  for (const sequence of live) {
    if (sequence.phase === 'decode' && sequence.creditTokens > 0) decoding.push(sequence);
    if (sequence.phase !== 'prefill') continue;
    const sibling = canCopySlots ? promptSibling(sequence, chunks) : undefined;
    if (sibling !== undefined) {
      if (sibling.holdsPrompt) forks.push({ from: sibling.sequence, to: sequence, tokens: prefixTokens(sequence) });
    } else if (chunks.length < mostChunks) {
      const chunk = nextChunk(sequence, limits);
      if (chunk !== undefined) chunks.push(chunk);
    }
  }
  if (decoding.length > 0 || chunks.length > 0 || forks.length > 0) {
    decoding.sort((a, b) => a.slot! - b.slot!);
    return { kind: 'step', decodes: inRuns(decoding, limits.decodeRows), chunks, forks };
  }
  if (live.length === 0) return { kind: 'deferred', reason: 'empty' };
  const isOpening = live.some((sequence) => sequence.phase === 'opening');
  return { kind: 'deferred', reason: isOpening ? 'opening' : 'no-credit' };
}

/** A chunk that gives a token needs credit for it; the ones before do not. */
function nextChunk(sequence: Sequence, limits: ModelRunnerLimits): PlannedChunk | undefined {
  const from = sequence.computedTokens;
  const { lacksPromptLogprobs } = sequence.generation;
  const mostTokens = (lacksPromptLogprobs ? limits.allLogitsTokens : undefined) ?? limits.chunkTokens;
  const chunkTokens = Math.min(mostTokens, limits.chunkTokens);
  const to = Math.min(from + chunkTokens, sequence.knownTokens);
  const isLast = to === sequence.knownTokens;
  if (isLast && sequence.creditTokens <= 0) return undefined;
  return { sequence, from, to, isLast };
}

/**
 * Who spares a sequence the computing of its prompt: a sequence of its generation that holds the prompt already, or will
 * with the chunks of this step, or at least is before it in computing it.
 */
function promptSibling(
  sequence: Sequence,
  chunks: readonly PlannedChunk[],
): { readonly sequence: Sequence; readonly holdsPrompt: boolean } | undefined {
  const { sequences } = sequence.generation;
  const tokens = prefixTokens(sequence);
  if (sequences.length === 1 || tokens === 0 || sequence.computedTokens >= tokens) return undefined;
  const others = sequences.filter((other) => other !== sequence && other.slot !== undefined);
  const holder = others.find(
    (other) =>
      (other.phase !== 'opening' && other.computedTokens >= tokens) ||
      chunks.some((chunk) => chunk.sequence === other && chunk.to >= tokens),
  );
  if (holder !== undefined) return { sequence: holder, holdsPrompt: true };
  const earlier = others.find(({ index }) => index < sequence.index);
  return earlier && { sequence: earlier, holdsPrompt: false };
}

/** What a fork copies; the last token is computed again, for its logits. */
function prefixTokens({ generation }: Sequence): number {
  return generation.promptTokens - 1;
}

function inRuns(sequences: readonly Sequence[], rows: number): Sequence[][] {
  const runs: Sequence[][] = [];
  for (let from = 0; from < sequences.length; from += rows) runs.push(sequences.slice(from, from + rows));
  return runs;
}
