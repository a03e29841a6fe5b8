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
 * What the engine's prefix store holds, for schedulers: numbered changes as they come, the whole on request. Changes that
 * nobody takes are dropped beyond a bound; their numbers are not, so that the receiver sees the gap and asks for a snapshot.
 * A snapshot's events have numbers like all others.
 */
@Injectable()
export class KvEventLog {
  /** Each block that is held with the one before it; parents come before children. */
  private readonly parents = new Map<string, string | undefined>();
  private readonly checksum = Buffer.alloc(HASH_BYTES);
  private pending: KvEvent[] = [];
  private pendingBlocks = 0;
  /** Changes were dropped since the last `take`. */
  private hasDropped = false;
  private nextSequence = 1;
  private listener: () => void = () => {};

  constructor(
    host: EngineHost,
    private readonly identity: WorkerIdentity,
  ) {
    host.onEvent((event) => {
      if (event.kind === 'prefix') this.note(event.change);
      if (event.kind === 'engine-lost') this.clear();
    });
  }

  /** Whether there is something that the next `take` would tell first. */
  get hasNews(): boolean {
    return this.pending.length > 0 || this.hasDropped;
  }

  /** The one listener, called when there are changes to be taken. */
  onChange(listener: () => void): void {
    this.listener = listener;
  }

  /** The changes since the last call; without any it still says where the count is, and what is held by its checksum. */
  take(): KvEvents {
    const events = this.pending;
    this.dropPending();
    this.hasDropped = false;
    return { firstSequence: this.nextSequence - events.length, events, snapshot: false, checksum: this.checksumNow() };
  }

  /** All that is held; what waits to be taken is part of it. */
  snapshot(): KvEvents {
    this.dropPending();
    this.hasDropped = false;
    const chains: { readonly parent: string | undefined; readonly hashes: string[] }[] = [];
    let last: string | undefined;
    for (const [hash, parent] of this.parents) {
      if (last === undefined || parent !== last) chains.push({ parent, hashes: [] });
      chains.at(-1)!.hashes.push(hash);
      last = hash;
    }
    const events = chains.map(({ parent, hashes }) => this.stored(parent, hashes));
    const firstSequence = this.nextSequence;
    this.nextSequence += events.length;
    return { firstSequence, events, snapshot: true, checksum: this.checksumNow() };
  }

  private note(change: PrefixChange): void {
    const { kind, hashes } = change;
    for (const hash of hashes) this.flip(hash);
    if (kind === 'stored') {
      for (const [index, hash] of hashes.entries()) this.parents.set(hash, hashes[index - 1] ?? change.parentHash);
      this.add(this.stored(change.parentHash, hashes), hashes.length);
    } else {
      for (const hash of hashes) this.parents.delete(hash);
      const value = { blockHashes: hashes.map(toBytes), medium: MEDIUM };
      this.add({ change: { $case: 'removed', value } }, hashes.length);
    }
  }

  /** The engine is gone, and with it all that it held. */
  private clear(): void {
    if (this.parents.size === 0) return;
    this.parents.clear();
    this.checksum.fill(0);
    this.add({ change: { $case: 'cleared', value: {} } }, 1);
  }

  private add(event: KvEvent, blocks: number): void {
    this.nextSequence++;
    this.pending.push(event);
    this.pendingBlocks += blocks;
    if (this.pendingBlocks > MAX_PENDING_BLOCKS) {
      this.dropPending();
      this.hasDropped = true;
    }
    this.listener();
  }

  private dropPending(): void {
    this.pending = [];
    this.pendingBlocks = 0;
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

  private checksumNow(): Buffer {
    return Buffer.from(this.checksum);
  }
}

function toBytes(hash: string): Buffer {
  return Buffer.from(hash, 'hex');
}
