import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A prompt and what follows it greedily, as transformers and PEFT compute it. */
export interface GoldenCase {
  readonly prompt: number[];
  /** Ids of the likeliest tokens behind the prompt, and their logits. */
  readonly top: [number, number][];
  readonly greedy: number[];
}

/** A tiny llama, with PEFT adapters of it in `adapters/NAME`. */
export const GOLDEN_MODEL = fileURLToPath(new URL('../../../../test/data/models/llama', import.meta.url));

/** `cases`: without an adapter. */
export const GOLDEN = JSON.parse(readFileSync(join(GOLDEN_MODEL, 'golden.json'), 'utf8')) as {
  cases: GoldenCase[];
  adapters: Record<string, { cases: GoldenCase[] }>;
};
