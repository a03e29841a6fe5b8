/** A block of a prefix store, on its way to somebody else. */
export interface StoredBlock {
  /** 32 hexadecimal digits. */
  readonly hash: string;
  /** Of the block before; absent for the first of a prompt. */
  readonly parentHash?: string | undefined;
  readonly tokenIds: readonly number[];
  /** Its keys and values, in the layout that the engine describes; the receiver owns them. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Blocks of a prompt that somebody else may have. */
export interface WantedBlocks {
  /** Of the prompt's blocks, as far as they need not be computed here; first block first, 32 hexadecimal digits each. */
  readonly hashes: readonly string[];
  /** How many of them are held. */
  readonly heldBlocks: number;
}
