/** What is known of the request whose blocks are kept. */
export interface KeptRequest {
  /** How long its answer was, once it has ended; undefined before, or where that is not known. */
  readonly answerTokens?: number | undefined;
  /** Leading blocks that at least one, two … earlier requests began with, wherever those were; a number for each count. Default: nothing is known. */
  readonly earlierUses?: readonly number[] | undefined;
}

/**
 * Decides which cached block goes first when room is needed. Chains come first block first, and whoever uses a block uses all
 * before it.
 */
export interface EvictionPolicy<Block> {
  /**
   * A request found these blocks and works with them now: a use of each. Others may still be at work on them, so
   * that nobody has kept them yet.
   */
  found(chain: readonly Block[]): void;
  /** These blocks of a request stay, found ones and new ones; for a new one it is the first use here. Told more than once as a request grows. */
  kept(chain: readonly Block[], request?: KeptRequest): void;
  /** The block is gone. Unknown ones are ignored. */
  forget(block: Block): void;
  /**
   * All blocks, in the order in which they should go; the first that may go does. A block never comes before one behind it in a
   * chain, unless that one is in use.
   */
  inOrder(): Iterable<Block>;
}
