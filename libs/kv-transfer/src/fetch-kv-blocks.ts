import { readStream } from '#lib/channels';
import type { KvBlock, KvBlocksClient, KvLayout } from '#lib/contracts';
import { type FetchOrigin, metadataOf } from './fetch-origin.js';
import { faultOfReceived, type KvBlockFault } from './kv-block-fault.js';
import { MAX_BLOCKS_PER_CALL } from './serve-kv-blocks.js';

/** Most bytes asked for by one call, so that what arrives faster than it is stored is bounded. Chosen: some twenty blocks of a small model. */
const CALL_BYTES = 16 * 1024 * 1024;

/** A source sent a block that was not asked for, or a damaged one. What came before it was sound. */
export class KvBlockFaultError extends Error {
  override readonly name = 'KvBlockFaultError';

  constructor(readonly fault: KvBlockFault) {
    super(`a block of attention state came with a wrong ${fault}`);
  }
}

/** Blocks of one chain that are wanted: those from `firstBlock` on, as far as there are hashes. */
export interface WantedKvChain {
  readonly layout: KvLayout;
  /** Bytes of keys and values of one block. */
  readonly blockBytes: number;
  /** Of the whole chain, first block first. */
  readonly blockHashes: readonly Uint8Array[];
  /** Shape [at least blockHashes.length · layout.blockTokens]. */
  readonly tokenIds: ArrayLike<number>;
  readonly firstBlock: number;
}

/**
 * The wanted blocks that a source has, in order, each of them checked: layout, name, tokens and checksum. They come no faster than
 * they are taken.
 * @param origin  what the source is told of the request
 * @throws KvBlockFaultError, GrpcStatusError, or the signal's reason
 */
export async function* fetchKvBlocks(
  client: Pick<KvBlocksClient, 'get'>,
  { layout, blockBytes, blockHashes, tokenIds, firstBlock }: WantedKvChain,
  signal: AbortSignal,
  origin?: FetchOrigin,
): AsyncGenerator<KvBlock, void, void> {
  const { blockTokens } = layout;
  const metadata = metadataOf(origin);
  const mostPerCall = Math.max(1, Math.min(MAX_BLOCKS_PER_CALL, Math.floor(CALL_BYTES / blockBytes)));
  for (let next = firstBlock; next < blockHashes.length; ) {
    const end = Math.min(blockHashes.length, next + mostPerCall);
    const asked = { layout, blockHashes: blockHashes.slice(next, end).map((hash) => Buffer.from(hash)) };
    for await (const block of readStream(() => client.get(asked, metadata), signal)) {
      if (next === end) throw new KvBlockFaultError('hash'); // one more than was asked for
      const own: number[] = Array.prototype.slice.call(tokenIds, next * blockTokens, (next + 1) * blockTokens);
      const fault = faultOfReceived(block, { layout, blockBytes, blockHash: blockHashes[next]!, tokenIds: own });
      if (fault !== undefined) throw new KvBlockFaultError(fault);
      yield block;
      next++;
    }
    if (next < end) return;
  }
}
