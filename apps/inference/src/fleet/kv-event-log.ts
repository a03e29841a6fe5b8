import { Injectable } from '@nestjs/common';
import type { KvEvent, KvEvents } from '#lib/contracts';
import type { PrefixChange } from '#lib/engine';
import { EngineHost } from '../engine/engine-host.js';
import { WorkerIdentity } from '../worker-identity.js';

/**
 * Changes that wait to be sent, in blocks: 16 bytes each. Chosen: what a busy engine changes in seconds; a scheduler that is
 * away for longer asks for a snapshot, which costs no more.
 */
const MAX_PENDING_BLOCKS = 8_192;
const HASH_BYTES = 16;
/** Where blocks lie: in the memory that the engine computes in. */
const MEDIUM = 'device';

/**
 * What the engine's prefix store holds, for schedulers: each reads its changes by its own count. A change that a reader does not
 * take in time is dropped for it beyond a bound; its number is not, so that the receiver sees the gap and asks for a snapshot.
 */
@Injectable()
export class KvEventLog {
  /** Each block that is held with the one before it; parents come before children. */
  private readonly parents = new Map<string, string | undefined>();
  private readonly checksum = Buffer.alloc(HASH_BYTES);
  private readonly readers = new Set<KvEventReader>();

  constructor(
    host: EngineHost,
    private readonly identity: WorkerIdentity,
  ) {
    host.onEvent((event) => {
      if (event.kind === 'prefix') this.note(event.change);
      if (event.kind === 'engine-lost') this.clear();
    });
  }

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
      if (last === undefined || parent !== last) chains.push({ parent, hashes: [] });
      chains.at(-1)!.hashes.push(hash);
      last = hash;
    }
    return chains.map(({ parent, hashes }) => this.stored(parent, hashes));
  }

  checksumNow(): Buffer {
    return Buffer.from(this.checksum);
  }

  private note(change: PrefixChange): void {
    const { kind, hashes } = change;
    for (const hash of hashes) this.flip(hash);
    if (kind === 'stored') {
      for (const [index, hash] of hashes.entries()) this.parents.set(hash, hashes[index - 1] ?? change.parentHash);
      this.tell(this.stored(change.parentHash, hashes), hashes.length);
    } else {
      for (const hash of hashes) this.parents.delete(hash);
      const value = { blockHashes: hashes.map(toBytes), medium: MEDIUM };
      this.tell({ change: { $case: 'removed', value } }, hashes.length);
    }
  }

  /** The engine is gone, and with it all that it held. */
  private clear(): void {
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
    const { id: modelId } = this.identity.model;
    const value = { parentHash, blockHashes: hashes.map(toBytes), modelId, adapterId: '', medium: MEDIUM };
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

  /** All that is held; what waits to be taken is part of it. Its events have numbers like all others. */
  snapshot(): KvEvents {
    this.dropPending();
    this.hasDropped = false;
    const events = this.log.held();
    const firstSequence = this.nextSequence;
    this.nextSequence += events.length;
    return { firstSequence, events, snapshot: true, checksum: this.log.checksumNow() };
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

function toBytes(hash: string): Buffer {
  return Buffer.from(hash, 'hex');
}
