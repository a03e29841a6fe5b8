/** The first 53 bits of a block's hash as a number; a collision costs time, never correctness. */
export function shortHash(hash: Uint8Array): number {
  const high = hashWord(hash, 0);
  const low = ((hash[4]! << 16) | (hash[5]! << 8) | hash[6]!) >>> 3;
  return high * 2 ** 21 + low;
}

/** Four bytes of a block's hash from `at` on as a number, 0 to 2³² − 1. */
export function hashWord(hash: Uint8Array, at: number): number {
  return ((hash[at]! << 24) | (hash[at + 1]! << 16) | (hash[at + 2]! << 8) | hash[at + 3]!) >>> 0;
}
