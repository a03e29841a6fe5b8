export {
  BLOCK_HASH_BYTES,
  hashBlocks,
  InvalidBlockSizeError,
  InvalidTokenIdError,
  type PrefixIdentity,
  prefixSeed,
} from './block-hash.js';
