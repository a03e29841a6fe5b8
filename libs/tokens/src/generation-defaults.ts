import { readJsonObject, type TextFiles } from './text-files.js';

/** What generation_config.json recommends; `undefined` where it says nothing. */
export interface GenerationDefaults {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  /** Ids that end a generation, ascending. Empty: it ends only by its limits. */
  readonly eosTokenIds: readonly number[];
}

/** @param tokenizerEosId  the tokenizer's own end token, which ends a generation too */
export function readGenerationDefaults(files: TextFiles, tokenizerEosId?: number): GenerationDefaults {
  const config = readJsonObject(files, 'generation_config.json') ?? {};
  const configured = Array.isArray(config['eos_token_id']) ? config['eos_token_id'] : [config['eos_token_id']];
  const eosTokenIds = new Set<number>(configured.filter(isTokenId));
  if (tokenizerEosId !== undefined) eosTokenIds.add(tokenizerEosId);
  return {
    temperature: finite(config['temperature']),
    topP: finite(config['top_p']),
    topK: finite(config['top_k']),
    minP: finite(config['min_p']),
    repetitionPenalty: finite(config['repetition_penalty']),
    eosTokenIds: [...eosTokenIds].sort((a, b) => a - b),
  };
}

function isTokenId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function finite(value: unknown): number | undefined {
  return Number.isFinite(value) ? (value as number) : undefined;
}
