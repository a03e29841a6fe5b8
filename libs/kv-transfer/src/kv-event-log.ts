import type { KvEvent, KvEvents } from '#lib/contracts';
import { BLOCK_HASH_BYTES } from '#lib/kv';

/**
 * Changes that wait to be sent, in blocks: 16 bytes each. Chosen: what a busy engine changes in seconds; a scheduler that is
 * away for longer asks for a snapshot, which costs no more.
 */
const MAX_PENDING_BLOCKS = 8_192;
/** Of one part of a snapshot. Chosen: a few megabytes at most, far below what one message may have. */
const MAX_PART_BLOCKS = 65_536;

/** Blocks that a store gained, one behind the other, or lost. Hashes are 32 hexadecimal digits. */
export type HeldBlocksChange =
  | { readonly kind: 'stored'; readonly parentHash?: string; readonly hashes: readonly string[] }
  | { readonly kind: 'removed'; readonly hashes: readonly string[] };

export interface KvEventLogOptions {
  /** As in `KvBlocksStored`. */
  readonly modelId: string;
  /** As in `KvBlocksStored`. */
  readonly medium: string;
}

/**
 * What a store of KV blocks holds, for schedulers: each reads its changes by its own count. A change that a reader does not
 * take in time is dropped for it beyond a bound; its number is not, so that the receiver sees the gap and asks for a snapshot.
 */
export class KvEventLog {
  /** Each block that is held with the one before it; parents come before children. */
  private readonly parents = new Map<string, string | undefined>();
  private readonly checksum = Buffer.alloc(BLOCK_HASH_BYTES);
  private readonly readers = new Set<KvEventReader>();

  constructor(private readonly options: KvEventLogOptions) {}

  /** @param onNews  called when there are changes to be taken */
  read(onNews: () => void): KvEventReader {
    const reader = new KvEventReader(this, onNews);
    this.readers.add(reader);
    return reader;
  }

  /** All that is held, in as few chains as it has. */
  held(): KvEvent[] {
    const chains: { readonly parent: string | undefined; readonly hashes: string[] }[] = [];
    let last: string | undefined;
    for (const [hash, parent] of this.parents) {
      const isFull = chains.at(-1)?.hashes.length === MAX_PART_BLOCKS;
      if (last === undefined || parent !== last || isFull) chains.push({ parent, hashes: [] });
      chains.at(-1)!.hashes.push(hash);
      last = hash;
    }
    return chains.map(({ parent, hashes }) => this.stored(parent, hashes));
  }

  checksumNow(): Buffer {
    return Buffer.from(this.checksum);
  }

  note(change: HeldBlocksChange): void {
    const { kind, hashes } = change;
    for (const hash of hashes) this.flip(hash);
    if (kind === 'stored') {
      for (const [index, hash] of hashes.entries()) this.parents.set(hash, hashes[index - 1] ?? change.parentHash);
      this.tell(this.stored(change.parentHash, hashes), hashes.length);
    } else {
      for (const hash of hashes) this.parents.delete(hash);
      const value = { blockHashes: hashes.map(toBytes), medium: this.options.medium };
      this.tell({ change: { $case: 'removed', value } }, hashes.length);
    }
  }

  /** The store is gone, and with it all that it held. */
  clear(): void {
    if (this.parents.size === 0) return;
    this.parents.clear();
    this.checksum.fill(0);
    this.tell({ change: { $case: 'cleared', value: {} } }, 1);
  }

  private tell(event: KvEvent, blocks: number): void {
    for (const reader of this.readers) reader.add(event, blocks);
  }

  private stored(parent: string | undefined, hashes: readonly string[]): KvEvent {
    const parentHash = parent === undefined ? Buffer.alloc(0) : toBytes(parent);
    const value = { parentHash, blockHashes: hashes.map(toBytes), adapterId: '', ...this.options };
    return { change: { $case: 'stored', value } };
  }

  /** XOR: it comes and goes the same way. */
  private flip(hash: string): void {
    for (const [at, byte] of toBytes(hash).entries()) this.checksum[at]! ^= byte;
  }
}

/** One scheduler's view of the changes: what it has not taken yet, and its count. */
export class KvEventReader {
  private pending: KvEvent[] = [];
  private pendingBlocks = 0;
  /** Changes were dropped since the last `take`. */
  private hasDropped = false;
  private nextSequence = 1;

  constructor(
    private readonly log: KvEventLog,
    private readonly onNews: () => void,
  ) {}

  /** Whether there is something that the next `take` would tell first. */
  get hasNews(): boolean {
    return this.pending.length > 0 || this.hasDropped;
  }

  /** The changes since the last call; without any it still says where the count is, and what is held by its checksum. */
  take(): KvEvents {
    const events = this.pending;
    this.dropPending();
    this.hasDropped = false;
    const firstSequence = this.nextSequence - events.length;
    return { firstSequence, events, snapshot: false, checksum: this.log.checksumNow() };
  }

  /**
   * All that is held, in messages that belong together; what waits to be taken is part of it. Its events have numbers like all others,
   * and the last message alone has the checksum.
   */
  snapshot(): KvEvents[] {
    this.dropPending();
    this.hasDropped = false;
    const parts = inParts(this.log.held());
    return parts.map((events, part) => {
      const firstSequence = this.nextSequence;
      this.nextSequence += events.length;
      const isLast = part === parts.length - 1;
      const checksum = isLast ? this.log.checksumNow() : Buffer.alloc(0);
      return { firstSequence, events, snapshot: part === 0, checksum };
    });
  }

  /** For the log. */
  add(event: KvEvent, blocks: number): void {
    this.nextSequence++;
    this.pending.push(event);
    this.pendingBlocks += blocks;
    if (this.pendingBlocks > MAX_PENDING_BLOCKS) {
      this.dropPending();
      this.hasDropped = true;
    }
    this.onNews();
  }

  private dropPending(): void {
    this.pending = [];
    this.pendingBlocks = 0;
  }
}

/** At least one part, each of a bounded number of blocks. */
function inParts(events: readonly KvEvent[]): KvEvent[][] {
  const parts: KvEvent[][] = [[]];
  let blocks = 0;
  for (const event of events) {
    const more = event.change?.$case === 'stored' ? event.change.value.blockHashes.length : 0;
    if (blocks > 0 && blocks + more > MAX_PART_BLOCKS) {
      parts.push([]);
      blocks = 0;
    }
    parts.at(-1)!.push(event);
    blocks += more;
  }
  return parts;
}

function toBytes(hash: string): Buffer {
  return Buffer.from(hash, 'hex');
}
