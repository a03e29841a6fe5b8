import { blockHashOf, type MemoryChange } from '#lib/kv-store';
import { KvEventLog } from '#lib/kv-transfer';

/** Where blocks lie: in memory that nobody computes in. */
const MEDIUM = 'host';

/**
 * What memory holds, for schedulers. They go by the blocks' names: a block counts once, in however many layouts it is held. What Redis has behind
 * it is not told: others drop it there at any time.
 */
export class MemoryKvEvents {
  readonly log = new KvEventLog({ modelId: '', medium: MEDIUM });
  /** Layouts in which each block is held, by its hash. */
  private readonly layouts = new Map<string, number>();

  note(change: MemoryChange): void {
    const hash = blockHashOf(change.key);
    const before = this.layouts.get(hash) ?? 0;
    if (change.kind === 'stored') {
      this.layouts.set(hash, before + 1);
      if (before > 0) return;
      const { parentKey } = change;
      this.log.note({ kind: 'stored', hashes: [hash], ...(parentKey && { parentHash: blockHashOf(parentKey) }) });
    } else if (before > 1) {
      this.layouts.set(hash, before - 1);
    } else {
      this.layouts.delete(hash);
      this.log.note({ kind: 'removed', hashes: [hash] });
    }
  }
}
