const MULTIPLIER_A = 0xd2511f53;
const MULTIPLIER_B = 0xcd9e8d57;
const WEYL_A = 0x9e3779b9;
const WEYL_B = 0xbb67ae85;
const ROUNDS = 10;
const TWO_TO_32 = 0x1_0000_0000;

/** Four words of 32 bits, unsigned. */
export type PhiloxCounter = readonly [number, number, number, number];

/**
 * Philox 4×32-10: a random number as a function of (key, counter), without state to carry or to lose.
 * @returns four words of 32 bits, unsigned
 * @see Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3, doi:10.1145/2063384.2063405
 */
export function philox4x32(counter: PhiloxCounter, key: readonly [number, number]): PhiloxCounter {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const highA = highProduct(MULTIPLIER_A, c0);
    const lowA = Math.imul(MULTIPLIER_A, c0);
    const highB = highProduct(MULTIPLIER_B, c2);
    const lowB = Math.imul(MULTIPLIER_B, c2);
    c0 = highB ^ c1 ^ k0;
    c1 = lowB;
    c2 = highA ^ c3 ^ k1;
    c3 = lowA;
    k0 = (k0 + WEYL_A) | 0;
    k1 = (k1 + WEYL_B) | 0;
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
}

/**
 * The one random number of a token.
 * @param seed           0 to 2^53 - 1
 * @param sequenceIndex  which of the request's sequences
 * @param position       position of the token in the sequence, the prompt counted
 * @returns uniform over the multiples of 2^-53 in [0, 1)
 */
export function uniformAt(seed: number, sequenceIndex: number, position: number): number {
  const key = [seed >>> 0, Math.floor(seed / TWO_TO_32)] as const;
  const [a, b] = philox4x32([position, sequenceIndex, 0, 0], key);
  return ((a >>> 5) * 0x400_0000 + (b >>> 6)) / 2 ** 53;
}

/** Upper 32 bits of the product of two unsigned 32-bit words. */
function highProduct(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carried = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carried / 0x10000)) | 0;
}
