export {
  BLOCK_HASH_BYTES,
  hashBlocks,
  InvalidBlockSizeError,
  InvalidTokenIdError,
  type PrefixIdentity,
  prefixSeed,
  writeBlockHashes,
} from './block-hash.js';
export type { CachedBlock } from './cached-block.js';
export { crc32c } from './crc32c.js';
export { createEviction, EVICTIONS, type Eviction } from './eviction/create-eviction.js';
export type { EvictionPolicy, KeptRequest } from './eviction/eviction-policy.js';
export { nameInLayout } from './name-in-layout.js';
export { hashWord, PrefixHashes } from './prefix-hashes.js';
export { PrefixIndex } from './prefix-index.js';
export { SEGMENT_BLOCKS, shardOf } from './shard-of.js';
