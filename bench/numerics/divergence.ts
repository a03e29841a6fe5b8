import fc from 'fast-check';
import { FinishReason } from '#lib/contracts';
import type { WeightsForm } from '#lib/engine-onnx';
import { loadModel } from '../../test/support/exactness/loaded-model.js';
import { runAlone, runSchedule, withoutCopies } from '../../test/support/exactness/run-schedule.js';
import { schedules } from '../../test/support/exactness/schedule.js';

export interface Divergence {
  readonly weights: WeightsForm;
  readonly choice: 'greedy' | 'sampled';
  sequences: number;
  different: number;
  /** Of all sequences. */
  tokens: number;
  /** Equal tokens before the first that differs, summed over the sequences that do. */
  tokensUntil: number;
}

/** Few slots, small chunks and memory for half of what comes. */
const CROWDED = { threads: 2, kvBytes: 40 * 30 * 3 * 2 * 4096, contextTokens: 256, maxSequences: 6, chunkTokens: 64 };
const LIMITS = { promptTokens: 160, maxTokens: 48, requests: 6 };

/** Runs schedules with the model in this form and compares each sequence with itself alone; cancelled ones are left out. */
export async function divergenceOf(name: string, weights: WeightsForm, count: number): Promise<Divergence[]> {
  const model = await loadModel(name, weights);
  const crowded = await model.runner(CROWDED);
  const alone = await model.runner({ ...CROWDED, kvBytes: 256 * 1024 * 1024, chunkTokens: 256 });
  const empty = { weights, sequences: 0, different: 0, tokens: 0, tokensUntil: 0 };
  const rows: Divergence[] = [
    { ...empty, choice: 'greedy' },
    { ...empty, choice: 'sampled' },
  ];
  const all = schedules({ ...LIMITS, vocabularySize: model.vocabularySize });
  for (const schedule of fc.sample(all, { seed: 1, numRuns: count })) {
    const { outcomes } = await runSchedule(crowded, model.text, schedule);
    for (const { request, outcome } of outcomes) {
      const own = await runAlone(withoutCopies(alone), model.text, request);
      const row = rows[request.sampling.temperature === 0 ? 0 : 1]!;
      for (const [index, { tokenIds }] of own.sequences) {
        const came = outcome.sequences.get(index)!;
        if (came.finishReason === FinishReason.CANCELLED) continue;
        row.sequences++;
        row.tokens += tokenIds.length;
        const at = tokenIds.findIndex((tokenId, position) => tokenId !== came.tokenIds[position]);
        if (at < 0) continue;
        row.different++;
        row.tokensUntil += at;
      }
    }
  }
  await Promise.all([crowded.close(), alone.close()]);
  return rows;
}
