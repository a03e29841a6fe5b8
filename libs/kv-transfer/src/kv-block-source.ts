import type { KvBlock, KvLayout, PutKvBlocksResponse } from '#lib/contracts';

/** Whoever has blocks to give: the port under `serveKvBlocks`. Called by many at once. */
export abstract class KvBlockSource {
  /** @returns length of the leading run of these blocks that is held in this very layout */
  abstract has(layout: KvLayout, blockHashes: readonly Uint8Array[], signal: AbortSignal): Promise<number>;
  /**
   * The blocks asked for, in order, with their checksums, ending before the first that is missing. The next one is asked for when the
   * last one has been taken: what is read ahead is the source's to bound.
   */
  abstract read(layout: KvLayout, blockHashes: readonly Uint8Array[], signal: AbortSignal): AsyncIterable<KvBlock>;
}

/** Whoever takes blocks of others. */
export abstract class KvBlockSink {
  /** Reads to the end, no faster than it stores. What does not fit or is not sound is counted as refused, with what follows it. */
  abstract put(blocks: AsyncIterable<KvBlock>, signal: AbortSignal): Promise<PutKvBlocksResponse>;
}
