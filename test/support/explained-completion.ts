import { expect } from 'vitest';
import type { RunningPlatform } from './platform.js';

export interface ExplainedCompletion {
  readonly tokenIds: readonly number[];
  /** Tokens of the prompt that were not computed. */
  readonly cached: number;
  /** Why it went where it went. */
  readonly placement: {
    readonly chosen: string;
    readonly fetched_from?: string;
    readonly candidates: readonly { readonly worker: string; readonly terms?: Readonly<Record<string, number>> }[];
  };
}

/** Eight tokens of the model `tiny` after a prompt, greedily. */
export async function explainedCompletion(
  { url }: RunningPlatform,
  prompt: readonly number[],
): Promise<ExplainedCompletion> {
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-hydra-debug': 'placement' },
    body: JSON.stringify({
      ...{ model: 'tiny', prompt, max_tokens: 8, temperature: 0, ignore_eos: true, return_token_ids: true },
    }),
  });
  const answer = (await response.json()) as {
    choices: { token_ids: number[] }[];
    usage: { prompt_tokens_details: { cached_tokens: number } };
  };
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return {
    tokenIds: answer.choices[0]!.token_ids,
    cached: answer.usage.prompt_tokens_details.cached_tokens,
    placement: JSON.parse(`[${response.headers.get('x-hydra-placement')}]`).at(-1), // of the attempt that was answered
  };
}
