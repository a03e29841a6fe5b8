/**
 * What an engine's thread holds outside of JavaScript's memory: a page that it shares with its host, who frees what is
 * still written there when the thread has ended without closing it.
 *
 * A thread that throws or is ended leaves its session (the weights) and its KV behind, 150 MB for SmolLM2-135M (measured
 * November 2026): without this, every restart of a broken engine would cost that much.
 */
export class NativeLedger {
  private readonly entries: BigInt64Array;

  constructor(
    page: SharedArrayBuffer = new SharedArrayBuffer(ENTRIES * ENTRY_WORDS * BigInt64Array.BYTES_PER_ELEMENT),
  ) {
    this.entries = new BigInt64Array(page);
  }

  /** Crosses into the thread. */
  get page(): SharedArrayBuffer {
    return this.entries.buffer as SharedArrayBuffer; // as it was made
  }

  /** @returns removes it again: called before it is freed by its owner */
  enter(kind: HeldKind, address: bigint, byteLength = 0): () => void {
    for (let at = 0; at < this.entries.length; at += ENTRY_WORDS) {
      if (this.entries[at + 1] !== 0n) continue;
      this.entries[at] = BigInt(KINDS.indexOf(kind));
      this.entries[at + 2] = BigInt(byteLength);
      Atomics.store(this.entries, at + 1, address);
      return () => void Atomics.store(this.entries, at + 1, 0n);
    }
    return () => {}; // full: the rest is freed by its owner or with the process
  }

  get isEmpty(): boolean {
    for (let at = 0; at < this.entries.length; at += ENTRY_WORDS) {
      if (Atomics.load(this.entries, at + 1) !== 0n) return false;
    }
    return true;
  }

  /** All that is held, which is forgotten: whoever takes it frees it. Only when the thread has ended. */
  take(): HeldNative[] {
    const held: HeldNative[] = [];
    for (let at = 0; at < this.entries.length; at += ENTRY_WORDS) {
      const address = Atomics.exchange(this.entries, at + 1, 0n);
      if (address === 0n) continue;
      held.push({ kind: KINDS[Number(this.entries[at])]!, address, byteLength: Number(this.entries[at + 2]) });
    }
    return held;
  }
}

export interface HeldNative {
  readonly kind: HeldKind;
  readonly address: bigint;
  readonly byteLength: number;
}

/**
 * - `session`: an `OrtSession`
 * - `memory`: from the library's allocator for CPU memory
 * - `addresses`: a `VirtualMemory`
 */
export type HeldKind = (typeof KINDS)[number];

const KINDS = ['session', 'memory', 'addresses'] as const;
/** Chosen: an engine has one session and a few allocations. */
const ENTRIES = 256;
/** Kind, address and length in bytes; an address of 0 is a free entry. */
const ENTRY_WORDS = 3;
