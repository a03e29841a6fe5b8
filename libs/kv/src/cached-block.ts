/** A full block of tokens whose KV is held. */
export interface CachedBlock {
  /** Chained hash of everything up to its end, 32 hexadecimal digits. */
  readonly hash: string;
  /** The block before it, which is held for as long as this one; undefined for the first of a prompt. */
  readonly parent: CachedBlock | undefined;
  /** Shape [blockTokens]. */
  readonly tokenIds: readonly number[];
  /** Where its KV lies, from 0. */
  readonly place: number;
}
