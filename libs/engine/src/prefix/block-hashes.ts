import { hashBlocks, type PrefixIdentity, prefixSeed } from '#lib/kv';

/** The block hashes of one sequence, made as they are asked for: its tokens only grow. */
export class BlockHashes {
  private readonly hashes: string[] = [];
  private readonly seed: Uint8Array;
  private last: Uint8Array;

  constructor(
    identity: PrefixIdentity,
    private readonly blockTokens: number,
  ) {
    this.seed = prefixSeed(identity);
    this.last = this.seed;
  }

  /** @returns the hash of each full block of the first `tokens` of `tokenIds`, as hexadecimal digits */
  of(tokenIds: readonly number[], tokens: number): readonly string[] {
    const { blockTokens, hashes } = this;
    const blocks = Math.floor(tokens / blockTokens);
    if (blocks > hashes.length) {
      const next = tokenIds.slice(hashes.length * blockTokens, blocks * blockTokens);
      const added = hashBlocks(next, blockTokens, this.last);
      for (const hash of added) hashes.push(Buffer.from(hash).toString('hex'));
      this.last = Uint8Array.from(added.at(-1)!); // not the buffer of all; there is one
    }
    return blocks === hashes.length ? hashes : hashes.slice(0, blocks);
  }

  /** @returns a name for the first `tokens` of `tokenIds` as a whole: the hash of their full blocks, and the ids behind them */
  nameOf(tokenIds: readonly number[], tokens: number): string {
    const before = this.of(tokenIds, tokens).at(-1) ?? Buffer.from(this.seed).toString('hex');
    return `${before}:${tokenIds.slice(tokens - (tokens % this.blockTokens), tokens).join()}`;
  }
}
