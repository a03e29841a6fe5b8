import { shortHash } from '../short-hash.js';

/** A prompt's chain of block hashes, cut short. */
export type PrefixKeys = Float64Array;

const known = new WeakMap<readonly Uint8Array[], PrefixKeys>();

/** Of a request's hashes, which do not change; a decision asks several times, and so does each try of a request that waits. */
export function prefixKeysOf(hashes: readonly Uint8Array[]): PrefixKeys {
  let keys = known.get(hashes);
  if (keys === undefined) {
    keys = computeKeys(hashes);
    known.set(hashes, keys);
  }
  return keys;
}

function computeKeys(hashes: readonly Uint8Array[]): PrefixKeys {
  const keys = new Float64Array(hashes.length);
  for (const [index, hash] of hashes.entries()) keys[index] = shortHash(hash);
  return keys;
}

/** Blocks that two prompts begin with in common. Hashes are chained, so equal at one place means equal up to there. */
export function commonBlocks(a: PrefixKeys, b: PrefixKeys): number {
  let equal = 0;
  let differs = Math.min(a.length, b.length) + 1;
  while (differs - equal > 1) {
    const middle = (equal + differs) >> 1;
    if (a[middle - 1] === b[middle - 1]) equal = middle;
    else differs = middle;
  }
  return equal;
}
