import type { PositionLogprobs } from '#lib/contracts';
import type { Logits, ModelRunner } from '../model-runner.js';
import type { ChunkPace } from './chunk-pace.js';
import type { Sequence } from './generation.js';
import type { LoopCounters } from './loop-counters.js';
import { nowUs } from './now-us.js';
import type { PlannedChunk, PlannedStep } from './step-plan.js';
import type { Choice, TokenChooser } from './token-chooser.js';

/** What a step computed for one sequence. Nothing of it counts before it is committed. */
export interface StepResult {
  readonly sequence: Sequence;
  /** Tokens the slot holds now. */
  readonly computedTokens: number;
  /** When its chunk of a prompt was computed, in microseconds. */
  readonly chunk?: { readonly from: number; readonly startedUs: number; readonly endedUs: number };
  /** Absent when the token after is known: within a prompt, and within what is computed again. */
  readonly choice?: Choice;
  /** Of the tokens after those of a prompt's chunk. */
  readonly promptLogprobs?: readonly PositionLogprobs[];
}

export interface StepTools {
  readonly runner: ModelRunner;
  readonly chooser: TokenChooser;
  readonly clock: Pick<LoopCounters, 'timed'>;
  /** Told how long the rows of a step took, and a chunk beside them. */
  readonly pace: Pick<ChunkPace, 'decoded' | 'computed'>;
  /** Told of each prompt that was computed to its end, and a token chosen after it; the logits of its last token are the runner's. */
  readonly onPromptEnd: (sequence: Sequence, logits: Float32Array) => void;
}

/**
 * Runs the model as planned and chooses tokens: behind prompts that are held whole, of rows of decodes, then of chunks of prompts; then
 * come the copies of prompts. Sequences are read, not changed. Rejects when the runner breaks.
 */
export async function runStep(plan: PlannedStep, tools: StepTools): Promise<StepResult[]> {
  const { runner, chooser, clock, pace } = tools;
  const results: StepResult[] = [];
  for (const sequence of plan.recalls) {
    const choice = chooser.choose(sequence, { rows: 1, data: sequence.promptLogits! }, 0);
    results.push({ sequence, computedTokens: sequence.knownTokens, choice });
  }
  const decodeRows = plan.decodes.flat().length;
  const decodeStartedUs = nowUs();
  for (const sequences of plan.decodes) {
    const rows = sequences.map(({ slot, computedTokens, tokenIds, generation }) => ({
      slot: slot!,
      adapterSlot: generation.adapterSlot,
      position: computedTokens,
      tokenId: tokenIds[computedTokens]!,
    }));
    const logits = await clock.timed(() => runner.decode(rows));
    for (const [row, sequence] of sequences.entries()) {
      const computedTokens = sequence.computedTokens + 1;
      const choice = computedTokens === sequence.knownTokens ? chooser.choose(sequence, logits, row) : undefined;
      results.push({ sequence, computedTokens, choice });
    }
  }
  if (decodeRows > 0) pace.decoded(decodeRows, nowUs() - decodeStartedUs);
  for (const chunks of plan.prefills) {
    const startedUs = nowUs();
    const [chunk] = chunks;
    const ran = chunks.length === 1 ? [await runChunk(chunk!, tools)] : await runPrompts(chunks, tools);
    const endedUs = nowUs();
    if (decodeRows > 0 && chunks.length === 1 && !chunk!.sequence.generation.lacksPromptLogprobs) {
      pace.computed(chunk!.to - chunk!.from, endedUs - startedUs);
    }
    for (const [index, { from }] of chunks.entries()) {
      results.push({ ...ran[index]!, chunk: { from, startedUs, endedUs } });
    }
  }
  for (const { from, to, tokens } of plan.forks) {
    runner.copySlot?.({ from: from.slot!, to: to.slot!, tokens });
    results.push({ sequence: to, computedTokens: tokens });
  }
  return results;
}

async function runPrompts(chunks: readonly PlannedChunk[], tools: StepTools): Promise<StepResult[]> {
  const { runner, clock } = tools;
  const prompts = chunks.map(({ sequence, to }) => ({
    slot: sequence.slot!,
    adapterSlot: sequence.generation.adapterSlot,
    tokenIds: sequence.tokenIds.slice(0, to),
  }));
  const logits = await clock.timed(async () => runner.prefillTogether?.(prompts));
  if (logits === undefined) throw new Error('the model runner does not compute prompts together');
  return chunks.map(({ sequence, to }, row) => ({
    sequence,
    computedTokens: to,
    choice: chooseAfter(sequence, logits, row, tools),
  }));
}

async function runChunk({ sequence, from, to, isLast }: PlannedChunk, tools: StepTools): Promise<StepResult> {
  const { runner, chooser, clock } = tools;
  const wantsAll = sequence.generation.lacksPromptLogprobs;
  const logits = await clock.timed(() =>
    runner.prefill({
      slot: sequence.slot!,
      adapterSlot: sequence.generation.adapterSlot,
      position: from,
      tokenIds: sequence.tokenIds.slice(from, to),
      logitsFor: wantsAll ? 'all' : isLast ? 'last' : 'none',
    }),
  );
  if (logits === undefined) {
    if (isLast || wantsAll) throw new Error('the model runner gave no logits for a chunk of a prompt');
    return { sequence, computedTokens: to };
  }
  const told = wantsAll ? chooser.promptLogprobs(sequence, logits, from) : { promptLogprobs: undefined };
  if ('kind' in told) return { sequence, computedTokens: to, choice: told };
  const choice = isLast ? chooseAfter(sequence, logits, logits.rows - 1, tools) : undefined;
  return { sequence, computedTokens: to, choice, promptLogprobs: told.promptLogprobs };
}

/** The choice after the last of a sequence's known tokens, whose chunk has just been computed. */
function chooseAfter(sequence: Sequence, logits: Logits, row: number, { chooser, onPromptEnd }: StepTools): Choice {
  const choice = chooser.choose(sequence, logits, row);
  const width = logits.data.length / logits.rows;
  if (choice.kind === 'token') onPromptEnd(sequence, logits.data.subarray(row * width, (row + 1) * width));
  return choice;
}
