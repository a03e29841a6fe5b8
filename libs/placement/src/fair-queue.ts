export interface QueueEntry {
  readonly ticketId: number;
  readonly tenantId: string;
  /** Larger goes first. */
  readonly priority: number;
}

/** What became of an entry that was offered: it left, it stays, or nothing more can leave now. */
export type OfferOutcome = 'taken' | 'kept' | 'stop';

type Fifo<Entry> = Map<number, Entry>;

/**
 * Who is next among those that wait: higher priority first; within a priority, one of each tenant in turn; within a
 * tenant, first come, first served. Its bound is its owner's matter.
 */
export class FairQueue<Entry extends QueueEntry> {
  /** Tenants by priority, each in order of turn; each tenant's entries in order of arrival. */
  private readonly classes = new Map<number, Map<string, Fifo<Entry>>>();
  private entryCount = 0;

  get size(): number {
    return this.entryCount;
  }

  push(entry: Entry): void {
    const tenants = this.classes.get(entry.priority) ?? new Map<string, Fifo<Entry>>();
    const fifo = tenants.get(entry.tenantId) ?? new Map<number, Entry>();
    fifo.set(entry.ticketId, entry);
    tenants.set(entry.tenantId, fifo);
    this.classes.set(entry.priority, tenants);
    this.entryCount++;
  }

  /** @returns whether it was there */
  remove(entry: Entry): boolean {
    const tenants = this.classes.get(entry.priority);
    const fifo = tenants?.get(entry.tenantId);
    if (tenants === undefined || fifo === undefined || !fifo.delete(entry.ticketId)) return false;
    this.entryCount--;
    if (fifo.size === 0) tenants.delete(entry.tenantId);
    if (tenants.size === 0) this.classes.delete(entry.priority);
    return true;
  }

  /**
   * Offers entries in order of turn. After `taken` the tenant goes to the end of the round; after `kept` the tenant is
   * passed over for the rest of this call, and keeps its turn.
   */
  offer(visit: (entry: Entry) => OfferOutcome): void {
    for (const priority of [...this.classes.keys()].sort((a, b) => b - a)) {
      const tenants = this.classes.get(priority)!;
      // A map is iterated in order of insertion and sees what is inserted meanwhile: a tenant that is put back comes again.
      for (const [tenantId, fifo] of tenants) {
        const head = fifo.values().next().value!; // a tenant without entries is not in the map
        const outcome = visit(head);
        if (outcome === 'stop') return;
        if (outcome === 'kept') continue;
        this.remove(head);
        if (fifo.size === 0) continue;
        tenants.delete(tenantId);
        tenants.set(tenantId, fifo);
      }
    }
  }
}
