import { z } from 'zod';
import { count } from './quantities.js';

export const mockSchema = z.strictObject({
  ttftMs: z.number().min(0).default(20).meta({
    description: 'Time from admission to the first token of a generation, in milliseconds.',
    env: 'HYDRA_MOCK_TTFT_MS',
  }),
  itlMs: z.number().min(0).default(10).meta({
    description: 'Duration of a decode step, in milliseconds; 0 steps as fast as it can.',
    env: 'HYDRA_MOCK_ITL_MS',
  }),
  kvTokens: count
    .default(65_536)
    .meta({ description: 'Size of the simulated KV memory, in tokens.', env: 'HYDRA_MOCK_KV_TOKENS' }),
  slots: count.default(64).meta({ description: 'Sequences that run at once.', env: 'HYDRA_MOCK_SLOTS' }),
  contextTokens: count
    .default(8_192)
    .meta({ description: 'Context of the simulated model, in tokens.', env: 'HYDRA_MOCK_CONTEXT_TOKENS' }),
  prefixCache: z
    .boolean()
    .default(true)
    .meta({ description: 'Whether prompts seen before cost no prefill time.', env: 'HYDRA_MOCK_PREFIX_CACHE' }),
  failEveryRequests: z
    .number()
    .int()
    .min(0)
    .default(0)
    .meta({ description: 'Fails every n-th generation after its third token; 0 never.', env: 'HYDRA_MOCK_FAIL_EVERY' }),
  crashEveryRequests: z.number().int().min(0).default(0).meta({
    description: 'The engine itself breaks after the third token of every n-th generation; 0 never.',
    env: 'HYDRA_MOCK_CRASH_EVERY',
  }),
});
