import type { KvBlock, KvLayout } from '#lib/contracts';
import { BLOCK_HASH_BYTES, crc32c, hashBlocks } from '#lib/kv';
import { isSameLayout } from './kv-layout.js';

/**
 * Why a block is not to be used:
 * - `layout`: its bytes mean something else, or there are more or fewer of them
 * - `hash`: it is another block
 * - `tokens`: it has the name of the block but is of other tokens
 * - `checksum`: its bytes are not those that were stored
 */
export type KvBlockFault = 'layout' | 'hash' | 'tokens' | 'checksum';

/** The block that is wanted. */
export interface WantedKvBlock {
  readonly layout: KvLayout;
  /** Bytes of keys and values. */
  readonly blockBytes: number;
  readonly blockHash: Uint8Array;
  readonly tokenIds: readonly number[];
}

/** @returns undefined when it is the block that is wanted, undamaged */
export function faultOfReceived(block: KvBlock, wanted: WantedKvBlock): KvBlockFault | undefined {
  if (!isSameLayout(block.layout, wanted.layout) || block.data.length !== wanted.blockBytes) return 'layout';
  if (Buffer.compare(block.blockHash, wanted.blockHash) !== 0) return 'hash';
  const { tokenIds } = wanted;
  if (block.tokenIds.length !== tokenIds.length || tokenIds.some((id, index) => block.tokenIds[index] !== id))
    return 'tokens';
  return crc32c(block.data) === block.crc32c ? undefined : 'checksum';
}

/**
 * The same of a block that somebody offers: it must agree with itself. Whether the first block of a prompt has the right name shows
 * when it is asked for only: its parent is a seed that the salt is a part of.
 */
export function faultOfOffered({
  layout,
  blockHash,
  parentHash,
  tokenIds,
  data,
  crc32c: sum,
}: KvBlock): KvBlockFault | undefined {
  if (layout === undefined || layout.blockTokens === 0 || data.length === 0) return 'layout';
  if (blockHash.length !== BLOCK_HASH_BYTES || ![0, BLOCK_HASH_BYTES].includes(parentHash.length)) return 'hash';
  if (tokenIds.length !== layout.blockTokens) return 'tokens';
  if (parentHash.length > 0) {
    const [named] = hashBlocks(tokenIds, layout.blockTokens, parentHash);
    if (named === undefined || Buffer.compare(named, blockHash) !== 0) return 'tokens';
  }
  return crc32c(data) === sum ? undefined : 'checksum';
}
