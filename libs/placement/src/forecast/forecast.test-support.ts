import { PrefixHashes } from '#lib/kv';
import type { StepLoad } from './step-time-model.js';
import { type ForecastedPrompt, TtftForecaster } from './ttft-forecast.js';
import { WorkerMirror } from './worker-mirror.js';

export const load = (about: Partial<StepLoad> = {}): StepLoad => ({
  prefillTokens: 0,
  decodingSequences: 0,
  contextTokens: 0,
  attentionPairs: 0,
  ...about,
});

/** A worker that takes 10 ms a step and 0.02 ms for each prompt token, and knows it. */
export function mirror(): WorkerMirror {
  const made = new WorkerMirror();
  for (let step = 0; step < 400; step++) {
    const observed = load({
      prefillTokens: (step * 37) % 2_000,
      decodingSequences: step % 7,
      contextTokens: (step * 911) % 9_000,
      attentionPairs: (step * 7_919) % 1_000_000,
    });
    made.stepTime.observe(observed, 10 + 0.02 * observed.prefillTokens);
  }
  return made;
}

const NO_HASHES = PrefixHashes.of([]);

export const sent = (to: WorkerMirror, generationId: string, promptTokens: number, sentAtMs = 0) =>
  to.sent({ generationId, promptTokens, prefixHashes: NO_HASHES, sentAtMs, remainingTokens: promptTokens });

export const idle = {
  finished: undefined,
  begun: undefined,
  prompts: [],
  decodingSequences: 0,
  contextTokens: 0,
  kvTokens: 0,
};

export const question = {
  promptTokens: 1_000,
  cachedTokens: 0,
  stepTokenBudget: 2_000,
  order: 'fifo',
  nowMs: 0,
} as const;

export const forecastTtft = (
  of: WorkerMirror,
  { cachedTokens, ...asked }: ForecastedPrompt & { cachedTokens: number },
) => new TtftForecaster().about(of, asked).computing(cachedTokens);
