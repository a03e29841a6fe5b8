import type { KvLayout } from '#lib/contracts';
import { layoutName } from '#lib/kv-transfer';

/** Names the blocks of one layout: what two layouts have in common never meets. */
export class BlockKeys {
  private readonly prefix: string;

  constructor(layout: KvLayout) {
    this.prefix = layoutName(layout).toString('hex');
  }

  of(blockHash: Uint8Array): string {
    return `${this.prefix}:${Buffer.from(blockHash).toString('hex')}`;
  }
}

/** What is in a key of `BlockKeys`. */
export function partsOfBlockKey(key: string): { readonly layout: Buffer; readonly blockHash: Buffer } {
  const [layout = '', blockHash = ''] = key.split(':');
  return { layout: Buffer.from(layout, 'hex'), blockHash: Buffer.from(blockHash, 'hex') };
}
