/** Where kvcache keeps blocks of attention state: tiers behind one port, and the store in front of them. */
export { partsOfBlockKey } from './block-key.js';
export { BlockTier, type TierBlock, TierUnavailableError } from './block-tier.js';
export {
  KvBlockStore,
  type KvBlockStoreOptions,
  type PutRefusal,
  type StoreObserver,
  type TierOperation,
} from './kv-block-store.js';
export { type HeldBlock, type MemoryChange, MemoryTier, type MemoryTierOptions } from './memory-tier.js';
export { RedisTier, type RedisTierOptions } from './redis-tier.js';
export { WriteBehind, type WriteBehindOptions } from './write-behind.js';
