export {
  BLOCK_HASH_BYTES,
  hashBlocks,
  InvalidBlockSizeError,
  InvalidTokenIdError,
  type PrefixIdentity,
  prefixSeed,
} from './block-hash.js';
export type { CachedBlock } from './cached-block.js';
export type { EvictionPolicy } from './eviction-policy.js';
export { PrefixIndex } from './prefix-index.js';
