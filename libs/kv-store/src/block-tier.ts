/** A block as tiers keep it. */
export interface TierBlock {
  /** Names layout and block, see `blockKey`: letters, digits and `:`. */
  readonly key: string;
  /** Of the block before it; undefined for the first of a prompt. */
  readonly parentKey: string | undefined;
  /** The whole block, encoded. Not changed afterwards, neither by the caller nor by the tier. */
  readonly bytes: Uint8Array;
}

/** The tier cannot be asked now, or does not answer in its time. Callers go on without it: it costs hits. */
export class TierUnavailableError extends Error {
  override readonly name = 'TierUnavailableError';

  constructor(
    /** `busy`: more is under way than may; `timeout`: no answer in time; `away`: it failed; `open`: it failed lately, so it was not asked. */
    readonly reason: 'busy' | 'timeout' | 'away' | 'open',
    options?: ErrorOptions,
  ) {
    super(`the tier is not available: ${reason}`, options);
  }
}

/**
 * A place for blocks. It may forget any block at any time, and gives back what it has byte by byte as it was written. What
 * blocks mean it does not know; only that each has one before it, which is looked for first. Bounded in what it holds and in
 * what is under way.
 * Every method but `close` may throw a TierUnavailableError, and no other error; aborting its signal ends the wait with the signal's reason.
 */
export abstract class BlockTier {
  abstract readonly name: string;
  /** @returns how many leading ones of these keys are held. It is not a use of them */
  abstract has(keys: readonly string[], signal: AbortSignal): Promise<number>;
  /** @returns the leading ones of these blocks that are held, each a copy of the caller's own. It is not a use of them */
  abstract read(keys: readonly string[], signal: AbortSignal): Promise<readonly Buffer[]>;
  /**
   * Stores blocks of one chain, each behind its parent; those that are held already stay as they are. Others may go for them, never
   * one of these.
   * @returns how many leading ones of these blocks are held now
   */
  abstract write(blocks: readonly TierBlock[], signal: AbortSignal): Promise<number>;
  /** These blocks of one chain, first block first, were used: they stay longer than others. Unknown ones are ignored. */
  abstract touch(keys: readonly string[], signal: AbortSignal): Promise<void>;
  /** They are not wanted any more; unknown ones are ignored. */
  abstract remove(keys: readonly string[], signal: AbortSignal): Promise<void>;
  abstract close(): Promise<void>;
}
