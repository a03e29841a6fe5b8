import { BLOCK_HASH_BYTES } from './block-hash.js';

/**
 * Chained hashes of a prompt's full blocks, first block first, in one buffer: a message's decoder and the collector of garbage have one object of them
 * instead of one for each block, and a look at one is a read of memory instead of three
 * (docs/decisions/2026-11-30-prefix-hashes-in-one-buffer.md).
 */
export class PrefixHashes {
  /** Blocks. */
  readonly length: number;
  private readonly view: DataView;

  /**
   * @param bytes  shape [blocks, 16]; not copied
   * @throws RangeError when that is no whole number of hashes
   */
  constructor(readonly bytes: Uint8Array) {
    if (bytes.length % BLOCK_HASH_BYTES !== 0) {
      throw new RangeError(`prefix hashes have ${BLOCK_HASH_BYTES} bytes each, but together there are ${bytes.length}`);
    }
    this.length = bytes.length / BLOCK_HASH_BYTES;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Copies them.
   * @throws RangeError when one has not 16 bytes
   */
  static of(hashes: readonly Uint8Array[]): PrefixHashes {
    const bytes = new Uint8Array(hashes.length * BLOCK_HASH_BYTES);
    for (const [block, hash] of hashes.entries()) {
      if (hash.length !== BLOCK_HASH_BYTES) {
        throw new RangeError(`the hash of block ${block} must have ${BLOCK_HASH_BYTES} bytes, not ${hash.length}`);
      }
      bytes.set(hash, block * BLOCK_HASH_BYTES);
    }
    return new PrefixHashes(bytes);
  }

  /**
   * Four bytes of a block's hash as a number, 0 to 2³² − 1.
   * @param at  the first of them, 0 to 12
   * @throws RangeError when there is no such block
   */
  word(block: number, at: number): number {
    return this.view.getUint32(block * BLOCK_HASH_BYTES + at);
  }

  /**
   * Blocks that both begin with. Hashes are chained, so equal at one place means equal up to there.
   * @param known  so many are known to be, or of no interest: the answer is never less
   */
  commonBlocks(other: PrefixHashes, known = 0): number {
    let equal = known;
    let differs = Math.min(this.length, other.length) + 1;
    // Most have no more in common than what is known.
    if (equal + 1 < differs && !this.isEqualAt(equal, other)) return equal;
    while (differs - equal > 1) {
      const middle = (equal + differs) >> 1;
      if (this.isEqualAt(middle - 1, other)) equal = middle;
      else differs = middle;
    }
    return equal;
  }

  /**
   * @returns a block's hash, as a view of the buffer
   * @throws RangeError when there is no such block
   */
  at(block: number): Buffer {
    if (block < 0 || block >= this.length)
      throw new RangeError(`there are hashes of ${this.length} blocks, none of block ${block}`);
    const { buffer, byteOffset } = this.bytes;
    return Buffer.from(buffer, byteOffset + block * BLOCK_HASH_BYTES, BLOCK_HASH_BYTES);
  }

  /** Those from one block to before another, on the same buffer. */
  slice(firstBlock: number, endBlock: number): PrefixHashes {
    return new PrefixHashes(this.bytes.subarray(firstBlock * BLOCK_HASH_BYTES, endBlock * BLOCK_HASH_BYTES));
  }

  /** @returns all of them, each as a view of the buffer, for who cannot do without: an object for each block */
  toArray(): Buffer[] {
    return Array.from({ length: this.length }, (_, block) => this.at(block));
  }

  private isEqualAt(block: number, other: PrefixHashes): boolean {
    for (let at = 0; at < BLOCK_HASH_BYTES; at += 4) if (this.word(block, at) !== other.word(block, at)) return false;
    return true;
  }
}

/** As `PrefixHashes.word`, of a hash that comes by itself. */
export function hashWord(hash: Uint8Array, at: number): number {
  return ((hash[at]! << 24) | (hash[at + 1]! << 16) | (hash[at + 2]! << 8) | hash[at + 3]!) >>> 0;
}
