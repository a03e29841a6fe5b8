import { AgedFrequency } from './aged-frequency.js';
import type { EvictionPolicy } from './eviction-policy.js';
import { LeastRecentlyUsed } from './least-recently-used.js';

export const EVICTIONS = ['lru', 'lfuda'] as const;
export type Eviction = (typeof EVICTIONS)[number];

/** @param keyOf  names a block, also after it was gone and came again */
export function createEviction<Block>(name: Eviction, keyOf: (block: Block) => string | number): EvictionPolicy<Block> {
  switch (name) {
    case 'lru':
      return new LeastRecentlyUsed();
    case 'lfuda':
      return new AgedFrequency(keyOf);
    default:
      throw new Error(`there is no eviction "${name satisfies never}"`);
  }
}
