import type { GenerationRequest } from '#lib/contracts';
import { syntheticTextFiles, TextModel } from '#lib/tokens';
import { type CheckedRequest, Generation, type Sequence } from '../src/step-loop/generation.js';
import { requestOf } from './requests.js';

const TEXT = { table: TextModel.load(syntheticTextFiles()).table, eosTokenIds: [63] };

export interface LiveSequenceParts {
  readonly slot?: number;
  readonly phase?: Sequence['phase'];
  /** Of the prompt; one more is known in phase `decode`. */
  readonly promptTokens?: number;
  readonly maxTokens?: number;
  readonly kvTokens?: number;
  readonly credit?: number;
}

/** A sequence in the middle of its life, for tests of plans. */
export function liveSequence(parts: LiveSequenceParts): Sequence {
  const { slot, phase = 'decode', promptTokens = 4, maxTokens = 1_000, credit = 100 } = parts;
  const request: GenerationRequest = requestOf({
    promptTokenIds: new Array<number>(promptTokens).fill(1),
    stop: { maxTokens },
  });
  const [sequence] = new Generation(request as CheckedRequest, TEXT, 10_000, 0).sequences;
  sequence!.phase = phase;
  sequence!.slot = slot;
  sequence!.creditTokens = credit;
  if (phase === 'decode') {
    sequence!.tokenIds.push(2);
    sequence!.computedTokens = promptTokens;
  }
  sequence!.kvTokens = parts.kvTokens ?? (slot === undefined ? 0 : promptTokens + 1);
  return sequence!;
}
