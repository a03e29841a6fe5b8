import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hydra } from './hydra.js';
import { type RunningPlatform, startPlatform } from './platform.js';

/** What it serves. */
export const FUZZED_MODEL = 'smollm2-135m-instruct';

/** A platform that needs keys, for clients that try all kinds of input. Its own key may do everything. */
export async function startFuzzPlatform(): Promise<{ platform: RunningPlatform; key: string }> {
  const env = {
    HYDRA_ENGINE: 'mock',
    HYDRA_MOCK_TTFT_MS: '0',
    HYDRA_MOCK_ITL_MS: '0',
    HYDRA_MOCK_CONTEXT_TOKENS: '256', // short answers
    HYDRA_DATABASE_URL: `sqlite:${join(mkdtempSync(join(tmpdir(), 'hydra-fuzz-')), 'hydra.db')}`,
    HYDRA_AUTH: 'required',
  };
  const { stdout } = await hydra(['keys', 'bootstrap'], env);
  // Who tries credentials that are not good would soon be slowed, and see nothing else of the API.
  const yaml = JSON.stringify({ models: [{ id: FUZZED_MODEL }], auth: { freeFailures: 1_000_000 } });
  return { platform: await startPlatform({ env, yaml }), key: stdout.trim() };
}
