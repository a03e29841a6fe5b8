import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { clientChannelOptions, serverChannelOptions } from '#lib/channels';
import { type KvBlock, KvBlocksClient, type KvLayout } from '#lib/contracts';
import { crc32c, hashBlocks, prefixSeed } from '#lib/kv';
import { isSameLayout, KvBlockSource, type ServedKvBlocks, serveKvBlocks } from '../src/index.js';

export const TEST_LAYOUT: KvLayout = {
  modelFingerprint: 'model',
  adapterVersion: '',
  dtype: 'fp32',
  axes: 'layer,kv,head,token,dim',
  tensorParallelRank: 0,
  tensorParallelSize: 1,
  pipelineParallelRank: 0,
  pipelineParallelSize: 1,
  blockTokens: 2,
  kernels: '',
};
export const TEST_BLOCK_BYTES = 24;

/** The blocks of a prompt, each with bytes of its own. */
export function blocksOf(tokenIds: readonly number[], salt = ''): KvBlock[] {
  const { blockTokens, modelFingerprint } = TEST_LAYOUT;
  const hashes = hashBlocks(tokenIds, blockTokens, prefixSeed({ modelFingerprint, adapterVersion: '', salt }));
  return hashes.map((hash, index) => {
    const data = Buffer.alloc(TEST_BLOCK_BYTES, hash);
    return {
      blockHash: Buffer.from(hash),
      parentHash: Buffer.from(hashes[index - 1] ?? []),
      layout: TEST_LAYOUT,
      tokenIds: tokenIds.slice(index * blockTokens, (index + 1) * blockTokens),
      data,
      crc32c: crc32c(data),
    };
  });
}

/** Holds what it is given, and tells how far ahead of its readers it was read. */
export class HeldBlocks extends KvBlockSource {
  readonly blocks = new Map<string, KvBlock>();
  readCount = 0;
  endedCount = 0;

  constructor(blocks: readonly KvBlock[] = []) {
    super();
    for (const block of blocks) this.blocks.set(block.blockHash.toString('hex'), block);
  }

  override async has(layout: KvLayout, blockHashes: readonly Uint8Array[]): Promise<number> {
    const missing = blockHashes.findIndex((hash) => this.find(layout, hash) === undefined);
    return missing < 0 ? blockHashes.length : missing;
  }

  override async *read(layout: KvLayout, blockHashes: readonly Uint8Array[]): AsyncGenerator<KvBlock> {
    try {
      for (const hash of blockHashes) {
        const block = this.find(layout, hash);
        if (block === undefined) return;
        this.readCount++;
        yield block;
      }
    } finally {
      this.endedCount++;
    }
  }

  private find(layout: KvLayout, hash: Uint8Array): KvBlock | undefined {
    const block = this.blocks.get(Buffer.from(hash).toString('hex'));
    return isSameLayout(layout, block?.layout) ? block : undefined;
  }
}

export interface ServingKvBlocks {
  readonly client: KvBlocksClient;
  readonly target: string;
  close(): void;
}

/** Serves blocks on a real socket. */
export async function servingKvBlocks(served: ServedKvBlocks): Promise<ServingKvBlocks> {
  const server = new Server(serverChannelOptions());
  serveKvBlocks(server, served);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createServer((socket) => injector.injectConnection(socket)).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const target = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const client = new KvBlocksClient(target, credentials.createInsecure(), clientChannelOptions());
  const close = () => {
    client.close();
    listener.close();
    injector.destroy();
    server.forceShutdown();
  };
  return { client, target, close };
}
