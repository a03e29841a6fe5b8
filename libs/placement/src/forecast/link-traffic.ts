/** Transfers followed at once; of more, those that began the longest ago are forgotten. Chosen: far above what workers run. */
const MOST_TRANSFERS = 1_024;

interface Transfer {
  readonly bytes: number;
  readonly beganMs: number;
  readonly endsMs: number;
}

/**
 * Blocks on their way to or from one worker, by the leases that said so. Nothing reports how far they are: each is taken to come evenly
 * in the time that was predicted for it.
 */
export class LinkTraffic {
  /** By generation, in the order in which they began. */
  private readonly transfers = new Map<string, Transfer>();
  /** By then all of them have ended: most links have nothing on them, and each decision asks about all. */
  private quietFromMs = 0;

  began(generationId: string, bytes: number, fetchMs: number, nowMs: number): void {
    for (const [id, { endsMs }] of this.transfers) if (endsMs <= nowMs) this.transfers.delete(id);
    this.transfers.delete(generationId);
    this.transfers.set(generationId, { bytes, beganMs: nowMs, endsMs: nowMs + fetchMs });
    this.quietFromMs = Math.max(this.quietFromMs, nowMs + fetchMs);
    if (this.transfers.size > MOST_TRANSFERS) this.transfers.delete(this.transfers.keys().next().value!); // there are some
  }

  ended(generationId: string): void {
    this.transfers.delete(generationId);
  }

  /**
   * Bytes of others that cross the link before so many more have: they share it evenly, so each other transfer takes what it has left,
   * and no more than these do themselves.
   */
  competingBytes(bytes: number, nowMs: number): number {
    if (nowMs >= this.quietFromMs) return 0;
    let competing = 0;
    for (const transfer of this.transfers.values()) {
      if (transfer.endsMs <= nowMs) continue;
      const left = (transfer.endsMs - nowMs) / (transfer.endsMs - transfer.beganMs);
      competing += Math.min(bytes, left * transfer.bytes);
    }
    return competing;
  }
}
