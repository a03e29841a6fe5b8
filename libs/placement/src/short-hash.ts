import type { PrefixHashes } from '#lib/kv';

/** The first 53 bits of a block's hash as a number; a collision costs time, never correctness. */
export function shortHash(hashes: PrefixHashes, block: number): number {
  return hashes.word(block, 0) * 2 ** 21 + (hashes.word(block, 4) >>> 11);
}
