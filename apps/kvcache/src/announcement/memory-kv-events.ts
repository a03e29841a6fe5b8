import { nameInLayout } from '#lib/kv';
import { type MemoryChange, partsOfBlockKey } from '#lib/kv-store';
import { KvEventLog } from '#lib/kv-transfer';

/** Where blocks lie: in memory that nobody computes in. */
const MEDIUM = 'host';

/**
 * What memory holds, for schedulers: blocks by their names in their layouts. What Redis has behind it is not told: others drop it there
 * at any time.
 */
export class MemoryKvEvents {
  readonly log = new KvEventLog({ modelId: '', medium: MEDIUM });

  note(change: MemoryChange): void {
    const hashes = [nameOf(change.key)];
    if (change.kind === 'removed') {
      this.log.note({ kind: 'removed', hashes });
      return;
    }
    const { parentKey } = change;
    this.log.note({ kind: 'stored', hashes, ...(parentKey !== undefined && { parentHash: nameOf(parentKey) }) });
  }
}

function nameOf(key: string): string {
  const { layout, blockHash } = partsOfBlockKey(key);
  return Buffer.from(nameInLayout(blockHash, layout)).toString('hex');
}
