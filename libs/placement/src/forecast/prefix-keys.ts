import type { PrefixHashes } from '#lib/kv';
import { shortHash } from '../short-hash.js';

/** A prompt's chain of block hashes, cut short. */
export type PrefixKeys = Float64Array;

export function prefixKeysOf(hashes: PrefixHashes): PrefixKeys {
  const keys = new Float64Array(hashes.length);
  for (let block = 0; block < hashes.length; block++) keys[block] = shortHash(hashes, block);
  return keys;
}

/**
 * Blocks that two prompts begin with in common. Hashes are chained, so equal at one place means equal up to there.
 * @param known  so many are known to be, or of no interest: the answer is never less
 */
export function commonBlocks(a: PrefixKeys, b: PrefixKeys, known = 0): number {
  let equal = known;
  let differs = Math.min(a.length, b.length) + 1;
  // Most have no more in common than what is known.
  if (equal + 1 < differs && a[equal] !== b[equal]) return equal;
  while (differs - equal > 1) {
    const middle = (equal + differs) >> 1;
    if (a[middle - 1] === b[middle - 1]) equal = middle;
    else differs = middle;
  }
  return equal;
}
