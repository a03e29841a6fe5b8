import type { PrefixStore } from '../prefix/prefix-store.js';
import type { PromptEnd } from '../prefix/prompt-ends.js';
import type { Sequence } from './generation.js';

/** The end of a sequence's prompt, found in the store. */
export interface FoundEnd {
  readonly name: string;
  readonly end: PromptEnd;
}

/** Names and blocks are the sequence's, as `Slots` reckons them. */
export function blockHashesOf(sequence: Sequence, prefixes: PrefixStore) {
  sequence.blockHashes ??= prefixes.hashesFor(sequence.generation);
  return sequence.blockHashes;
}

/** What is kept of the whole prompt of a sequence that has no token yet; its blocks may have gone. */
export function findEnd(sequence: Sequence, prefixes: PrefixStore): FoundEnd | undefined {
  const { tokenIds, knownTokens, generation } = sequence;
  if (knownTokens > generation.promptTokens || prefixes.endTokens(knownTokens) === 0) return undefined;
  const name = blockHashesOf(sequence, prefixes).nameOf(tokenIds, knownTokens);
  const end = prefixes.findEnd(name, tokenIds);
  return end && { name, end };
}

/**
 * Brings the end of a prompt, behind leading tokens that its slot holds: the sequence then knows the logits of its first token.
 * @returns whether it did: not when those tokens are too few, or the end has gone meanwhile
 */
export function bringEnd(sequence: Sequence, found: FoundEnd, heldTokens: number, prefixes: PrefixStore): boolean {
  const { name, end } = found;
  if (heldTokens < end.blocksTokens) return false;
  sequence.promptLogits = prefixes.restoreEnd(name, end, sequence.slot!);
  return sequence.promptLogits !== undefined;
}
