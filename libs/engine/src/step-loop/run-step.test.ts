import { afterEach, describe, expect, it, vi } from 'vitest';
import { liveSequence } from '../../testing/live-sequence.js';
import type { ModelRunner } from '../model-runner.js';
import { ChunkPace } from './chunk-pace.js';
import { LoopCounters } from './loop-counters.js';
import { runStep, type StepTools } from './run-step.js';
import type { PlannedStep } from './step-plan.js';

/** Rows take 10 ms together, and each token of a chunk 2 ms, of a clock of its own. */
function toolsWith(pace: StepTools['pace']): StepTools {
  let nowMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const runner: Partial<ModelRunner> = {
    decode: (rows) => {
      nowMs += 10;
      return Promise.resolve({ rows: rows.length, data: new Float32Array(rows.length * 64) });
    },
    prefill: ({ tokenIds }) => {
      nowMs += 2 * tokenIds.length;
      return Promise.resolve(undefined);
    },
  };
  return {
    runner: runner as ModelRunner,
    chooser: { choose: () => ({ kind: 'token', tokenId: 1 }) } as Partial<StepTools['chooser']> as StepTools['chooser'],
    clock: new LoopCounters(),
    pace,
    onPromptEnd: () => undefined,
  };
}

function stepOf(rows: number, chunkTokens: number): PlannedStep {
  const decoding = Array.from({ length: rows }, (_, slot) => liveSequence({ slot }));
  const prompt = liveSequence({ slot: rows, phase: 'prefill', promptTokens: 500 });
  return {
    ...{ kind: 'step', preempted: [], growths: [], moves: [], recalls: [], forks: [] },
    decodes: rows > 0 ? [decoding] : [],
    prefills: [[{ sequence: prompt, from: 0, to: chunkTokens, isLast: false }]],
  };
}

describe('runStep', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('given rows and a chunk, when a step is run, then the next chunk has as many tokens as a step of three times the rows has time for', async () => {
    const chunkBesideDecode = { leastTokens: 2, tokensPerRow: 1, mostSlowdown: 3 };
    const pace = new ChunkPace({ chunkTokens: 64, chunkBesideDecode });
    const tools = toolsWith(pace);
    expect(pace.tokensBeside(4)).toBe(4);
    await runStep(stepOf(4, 4), tools);
    expect(pace.tokensBeside(4)).toBe(9); // of 20 ms nine tenths, 2 ms each
  });

  it('given a chunk alone, when a step is run, then nothing is learned from it: whole chunks are cheaper', async () => {
    const pace = new ChunkPace({
      chunkTokens: 64,
      chunkBesideDecode: { leastTokens: 2, tokensPerRow: 1, mostSlowdown: 3 },
    });
    await runStep(stepOf(0, 64), toolsWith(pace));
    expect(pace.tokensBeside(4)).toBe(4);
  });
});
