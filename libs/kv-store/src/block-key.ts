import { hash } from 'node:crypto';
import type { KvLayout } from '#lib/contracts';
import { layoutKey } from '#lib/kv-transfer';

/** Names the blocks of one layout: what two layouts have in common never meets. */
export class BlockKeys {
  private readonly prefix: string;

  constructor(layout: KvLayout) {
    this.prefix = hash('sha256', layoutKey(layout), 'hex').slice(0, 32);
  }

  of(blockHash: Uint8Array): string {
    return `${this.prefix}:${Buffer.from(blockHash).toString('hex')}`;
  }
}

/** @returns the hash in a key of `BlockKeys`, in hexadecimal digits */
export function blockHashOf(key: string): string {
  return key.slice(key.indexOf(':') + 1);
}
