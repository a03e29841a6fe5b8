/** The first 53 bits of a block's hash as a number; a collision costs time, never correctness. */
export function shortHash(hash: Uint8Array): number {
  const high = ((hash[0]! << 24) | (hash[1]! << 16) | (hash[2]! << 8) | hash[3]!) >>> 0;
  const low = ((hash[4]! << 16) | (hash[5]! << 8) | hash[6]!) >>> 3;
  return high * 2 ** 21 + low;
}
