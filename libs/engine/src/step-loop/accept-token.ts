import { FinishReason, type FrameEntry } from '#lib/contracts';
import type { Sequence } from './generation.js';
import type { Choice } from './token-chooser.js';

export type ChosenToken = Choice & { readonly kind: 'token' };

/**
 * Adds a token to a sequence and decides whether it ends with it.
 * @param contextTokens  most tokens of the sequence
 * @returns what the reader is told
 */
export function acceptToken(sequence: Sequence, token: ChosenToken, contextTokens: number): FrameEntry {
  const { generation, text } = sequence;
  const { stop } = generation.request;
  const { tokenId, logprobs } = token;
  sequence.tokenIds.push(tokenId);
  sequence.creditTokens--;
  sequence.adjustments?.count(tokenId);
  const entry = entryOf(sequence, [tokenId]);
  if (logprobs !== undefined) entry.logprobs.push(logprobs);
  if (sequence.generatedTokens === 1) entry.promptLogprobs = generation.promptLogprobs;

  if (generation.stopTokenIds.has(tokenId) && sequence.generatedTokens > stop.minTokens) {
    const stopMatch = stop.stopTokenIds.includes(tokenId) ? String(tokenId) : '';
    return { ...entry, text: text.finish().text, finishReason: FinishReason.STOP, stopMatch };
  }
  const piece = text.push([tokenId]);
  if (piece.stopMatch !== undefined) {
    return { ...entry, text: piece.text, finishReason: FinishReason.STOP, stopMatch: piece.stopMatch.stop };
  }
  if (sequence.generatedTokens < stop.maxTokens && sequence.knownTokens < contextTokens) {
    return { ...entry, text: piece.text };
  }
  const rest = text.finish();
  const isStopped = rest.stopMatch !== undefined;
  return {
    ...entry,
    text: piece.text + rest.text,
    finishReason: isStopped ? FinishReason.STOP : FinishReason.LENGTH,
    stopMatch: rest.stopMatch?.stop ?? '',
  };
}

/** An entry that says nothing but whose it is. */
export function entryOf(sequence: Sequence, tokenIds: number[] = []): FrameEntry {
  return {
    generationId: sequence.generation.id,
    sequenceIndex: sequence.index,
    tokenIds,
    text: '',
    logprobs: [],
    finishReason: FinishReason.UNSPECIFIED,
    stopMatch: '',
    promptLogprobs: [],
    textEnds: [],
  };
}
