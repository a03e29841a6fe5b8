import { Injectable } from '@nestjs/common';
import { untilAborted } from '#lib/channels';
import type { KvBlock, KvLayout } from '#lib/contracts';
import type { StoredBlock } from '#lib/engine';
import { crc32c } from '#lib/kv';
import { isSameLayout, KvBlockSource } from '#lib/kv-transfer';
import { EngineHost } from '../engine/engine-host.js';
import { blocksPerPiece } from './block-pieces.js';
import { kvLayoutOf } from './kv-layout-of.js';

/** The engine's prefix store, for other workers. A reader has a piece of it in memory, and the next one while that is sent. */
@Injectable()
export class EngineKvBlocks extends KvBlockSource {
  constructor(private readonly host: EngineHost) {
    super();
  }

  override async has(layout: KvLayout, blockHashes: readonly Uint8Array[], signal: AbortSignal): Promise<number> {
    if (this.blockBytesOf(layout) === undefined) return 0;
    return untilAborted(this.host.engine.heldBlocks(blockHashes.map(toHex)), signal);
  }

  override async *read(
    layout: KvLayout,
    blockHashes: readonly Uint8Array[],
    signal: AbortSignal,
  ): AsyncGenerator<KvBlock> {
    const blockBytes = this.blockBytesOf(layout);
    if (blockBytes === undefined) return;
    const hashes = blockHashes.map(toHex);
    const most = blocksPerPiece(blockBytes);
    const pieceFrom = (next: number) => this.host.engine.readBlocks(hashes.slice(next, next + most));
    let ahead = pieceFrom(0);
    for (let next = 0; next < hashes.length; ) {
      const piece = await untilAborted(ahead, signal);
      next += piece.length;
      const isLast = piece.length < most;
      if (!isLast && next < hashes.length) ahead = pieceFrom(next);
      for (const block of piece) yield toKvBlock(block, layout);
      if (isLast) return;
    }
  }

  /** @returns undefined when this is not what stands here */
  private blockBytesOf(layout: KvLayout): number | undefined {
    if (this.host.phase !== 'running') return undefined;
    const description = this.host.engine.describe();
    return isSameLayout(layout, kvLayoutOf(description)) ? description.blocks?.blockBytes : undefined;
  }
}

function toKvBlock({ hash, parentHash = '', tokenIds, data }: StoredBlock, layout: KvLayout): KvBlock {
  return {
    blockHash: Buffer.from(hash, 'hex'),
    parentHash: Buffer.from(parentHash, 'hex'),
    layout,
    tokenIds: [...tokenIds],
    data: Buffer.from(data.buffer),
    crc32c: crc32c(data),
  };
}

function toHex(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex');
}
