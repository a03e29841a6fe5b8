import type { KvEvent, KvEvents } from '#lib/contracts';
import { BLOCK_HASH_BYTES } from '#lib/kv';
import type { KvIndex } from './kv-index.js';

/** Whether the index has what the worker holds, as far as it can be told. */
export type KvFollowing = 'current' | 'needs-snapshot';

interface Followed {
  /** Number of the next event; undefined while a snapshot is awaited. */
  nextSequence: number | undefined;
  /** XOR of all block hashes held. */
  readonly checksum: Uint8Array;
}

/**
 * Keeps the index equal to what workers say they hold, through lost, repeated and late events: events have numbers, a gap or
 * a checksum that differs asks for a snapshot, and until it comes nothing else of that worker is taken. What is in the index
 * meanwhile is stale, which costs time, never correctness.
 */
export class KvFollower {
  private readonly workers = new Map<string, Followed>();

  constructor(private readonly index: KvIndex) {}

  apply(workerId: string, { firstSequence, events, snapshot, checksum }: KvEvents): KvFollowing {
    // A count that begins with 1 begins with an empty store.
    const known = this.workers.get(workerId) ?? { nextSequence: 1, checksum: new Uint8Array(BLOCK_HASH_BYTES) };
    this.workers.set(workerId, known);
    if (snapshot) {
      this.index.removeWorker(workerId);
      known.checksum.fill(0);
      known.nextSequence = firstSequence;
    }
    if (known.nextSequence === undefined || firstSequence > known.nextSequence) return this.await(known);
    const toTake = events.slice(known.nextSequence - firstSequence);
    for (const event of toTake) this.take(workerId, known, event);
    const endSequence = firstSequence + events.length;
    if (endSequence < known.nextSequence) return 'current'; // a repetition of older ones; its checksum is old, too
    known.nextSequence = endSequence;
    const differs = checksum.length === BLOCK_HASH_BYTES && known.checksum.some((byte, at) => byte !== checksum[at]);
    return differs ? this.await(known) : 'current';
  }

  /** The worker left, or begins anew. */
  forget(workerId: string): void {
    this.workers.delete(workerId);
    this.index.removeWorker(workerId);
  }

  private await(known: Followed): KvFollowing {
    known.nextSequence = undefined;
    return 'needs-snapshot';
  }

  private take(workerId: string, known: Followed, { change }: KvEvent): void {
    switch (change?.$case) {
      case 'stored':
        for (const hash of change.value.blockHashes) {
          this.index.stored(workerId, hash);
          flip(known.checksum, hash);
        }
        break;
      case 'removed':
        for (const hash of change.value.blockHashes) {
          this.index.removed(workerId, hash);
          flip(known.checksum, hash);
        }
        break;
      case 'cleared':
        this.index.removeWorker(workerId);
        known.checksum.fill(0);
        break;
      case undefined: // of a later version; the checksum tells whether it mattered
        break;
      default:
        change satisfies never;
    }
  }
}

/** XOR: a block comes and goes the same way. */
function flip(checksum: Uint8Array, hash: Uint8Array): void {
  for (let at = 0; at < checksum.length; at++) checksum[at] = checksum[at]! ^ (hash[at] ?? 0);
}
