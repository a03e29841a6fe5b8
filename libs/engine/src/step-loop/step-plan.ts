import type { ModelRunnerLimits } from '../model-runner.js';
import { chunkEnd, reusablePromptTokens } from './computed-in-chunks.js';
import type { Sequence } from './generation.js';
import { type PlannedGrowth, planMemory } from './memory-plan.js';
import type { PlanningView } from './planning-view.js';
import { planPromptRun } from './prompt-run.js';
import { type PlannedMove, planMoves, slotsAfter } from './slot-moves.js';

export interface PlannedChunk {
  readonly sequence: Sequence;
  /** Known tokens [from, to) of the sequence. */
  readonly from: number;
  readonly to: number;
  /** Whether it ends with the last known token: the chunk then gives a token. */
  readonly isLast: boolean;
}

/** The prompt, but for its end, goes from one sequence to another of its generation. */
export interface PlannedFork {
  readonly from: Sequence;
  readonly to: Sequence;
  readonly tokens: number;
}

/**
 * First the preempted lose their slots; then slots grow and sequences move; then tokens are chosen behind prompts that are held whole;
 * then comes one decode row for each sequence of `decodes`, split into runs of at most `decodeRows`; then the prompts' chunks; then the forks.
 */
export interface PlannedStep {
  readonly kind: 'step';
  /** They are computed again when there is memory for them. */
  readonly preempted: readonly Sequence[];
  readonly growths: readonly PlannedGrowth[];
  readonly moves: readonly PlannedMove[];
  /** Their prompts are held to the last token, with its logits. */
  readonly recalls: readonly Sequence[];
  /** Each in the order of its slots. */
  readonly decodes: readonly (readonly Sequence[])[];
  /** Runs of the model: one chunk each, or several whole prompts in the order of their slots. */
  readonly prefills: readonly (readonly PlannedChunk[])[];
  readonly forks: readonly PlannedFork[];
}

export type StepPlan =
  /** Nothing can be computed now. */
  { readonly kind: 'deferred'; readonly reason: 'empty' | 'opening' | 'no-credit' } | PlannedStep;

/**
 * All sequences that may decode and have memory for it, and beside them one chunk of a prompt (or as many as the runner allows), or one
 * run of whole prompts.
 */
export function planStep(view: PlanningView): StepPlan {
  const { limits, live } = view;
  const { preempted, growths, decoding } = planMemory(view);
  const staying = preempted.length === 0 ? live : live.filter((sequence) => !preempted.includes(sequence));
  const recalls = staying.filter(({ promptLogits, creditTokens }) => promptLogits !== undefined && creditTokens > 0);
  const { prefills, forks } = planPrefill(staying, decoding.length, view);
  if ([preempted, recalls, decoding, prefills, forks].some(({ length }) => length > 0)) {
    const moves = view.canMoveSlots ? planMoves(decoding, view.freeSlots) : [];
    const decodes = inRuns(decoding, slotsAfter(moves), limits.decodeRows);
    return { kind: 'step', preempted, growths, moves, recalls, decodes, prefills, forks };
  }
  if (view.openingCount > 0) return { kind: 'deferred', reason: 'opening' };
  return { kind: 'deferred', reason: live.length === 0 ? 'empty' : 'no-credit' };
}

function planPrefill(
  live: readonly Sequence[],
  decodeRows: number,
  { limits, pace, canCopySlots, prefilling }: PlanningView,
) {
  const chunkTokens = pace.tokensBeside(decodeRows);
  // the others are preempted, or have nothing to compute
  const staying = prefilling.filter((sequence) => live.includes(sequence) && sequence.promptLogits === undefined);
  const together = promptsTogether(staying, decodeRows, chunkTokens, limits);
  const prefills: PlannedChunk[][] = together.length > 0 ? [together.map(wholePrompt)] : [];
  const forks: PlannedFork[] = [];
  const mostRuns = limits.chunksPerStep ?? 1;
  for (const sequence of staying) {
    if (together.includes(sequence)) continue;
    const sibling = canCopySlots ? promptSibling(sequence, live, prefills.flat(), limits) : undefined;
    if (sibling !== undefined) {
      if (sibling.holdsPrompt) forks.push({ from: sibling.sequence, to: sequence, tokens: sibling.tokens });
    } else if (prefills.length < mostRuns) {
      const chunk = nextChunk(sequence, chunkTokens, limits);
      if (chunk !== undefined) prefills.push([chunk]);
    }
  }
  return { prefills, forks };
}

/**
 * Running streams wait for prompts that are computed together, too, so these have the tokens of a chunk beside them; unless at least as
 * many begin with the run as wait for it. That at least doubles those that run, so a stream meets it a few times at most while
 * many come at once.
 */
function promptsTogether(
  prefilling: readonly Sequence[],
  decodeRows: number,
  chunkTokens: number,
  limits: ModelRunnerLimits,
): readonly Sequence[] {
  if (limits.promptRun === undefined) return [];
  const all = planPromptRun(prefilling, limits.promptRun.mostRows, limits);
  return all.length >= decodeRows ? all : planPromptRun(prefilling, chunkTokens, limits);
}

function wholePrompt(sequence: Sequence): PlannedChunk {
  return { sequence, from: 0, to: sequence.knownTokens, isLast: true };
}

/** A chunk that gives a token needs credit for it; the ones before do not. */
function nextChunk(sequence: Sequence, chunkTokens: number, limits: ModelRunnerLimits): PlannedChunk | undefined {
  const from = sequence.computedTokens;
  const { lacksPromptLogprobs } = sequence.generation;
  const mostTokens = (lacksPromptLogprobs ? limits.allLogitsTokens : undefined) ?? limits.chunkTokens;
  const to = chunkEnd(sequence, from, Math.min(mostTokens, chunkTokens), limits);
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
  live: readonly Sequence[],
  chunks: readonly PlannedChunk[],
  limits: ModelRunnerLimits,
): { readonly sequence: Sequence; readonly holdsPrompt: boolean; readonly tokens: number } | undefined {
  const { sequences, promptTokens } = sequence.generation;
  const tokens = reusablePromptTokens(promptTokens, limits); // what is left is computed again, for its logits
  if (sequences.length === 1 || tokens === 0 || sequence.computedTokens >= tokens) return undefined;
  const others = sequences.filter((other) => other !== sequence && live.includes(other));
  const holder = others.find(
    (other) =>
      (other.phase !== 'opening' && other.computedTokens >= tokens) ||
      chunks.some((chunk) => chunk.sequence === other && chunk.to >= tokens),
  );
  if (holder !== undefined) return { sequence: holder, holdsPrompt: true, tokens };
  const earlier = others.find(({ index }) => index < sequence.index);
  return earlier && { sequence: earlier, holdsPrompt: false, tokens };
}

function inRuns(sequences: readonly Sequence[], slotOf: (sequence: Sequence) => number, rows: number): Sequence[][] {
  const inOrder = [...sequences].sort((a, b) => slotOf(a) - slotOf(b));
  const runs: Sequence[][] = [];
  for (let from = 0; from < inOrder.length; from += rows) runs.push(inOrder.slice(from, from + rows));
  return runs;
}
