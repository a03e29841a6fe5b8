import type { UsageLedger, UsageWriter } from '#lib/ledger';
import {
  type BeginDecision,
  type ExtendDecision,
  LimitBook,
  LimitsUnavailableError,
  type MemoryLimitBook,
  type Reservation,
  type Settlement,
} from '#lib/limits';

/** A limit book in memory that goes on where the ledger says that the day and the month stand. */
export class UsageBook extends LimitBook {
  constructor(
    private readonly book: MemoryLimitBook,
    private readonly ledger: UsageLedger,
    private readonly writer: UsageWriter,
    private readonly nowMs: () => number,
  ) {
    super();
  }

  async begin(reservation: Reservation): Promise<BeginDecision> {
    if (this.writer.isFull) throw new LimitsUnavailableError('more usage waits for the ledger than may');
    const { tenantId, subjects } = reservation;
    for (const { id, keyId, modelId } of subjects) {
      if (this.book.has(tenantId, id)) continue;
      try {
        const used = await this.ledger.used({ tenantId, keyId, modelId }, this.nowMs());
        this.book.restore(tenantId, id, used);
      } catch (cause) {
        throw new LimitsUnavailableError('the ledger cannot be read', { cause });
      }
    }
    return this.book.begin(reservation);
  }

  extend(reservation: Reservation, least: number, most: number): ExtendDecision {
    return this.book.extend(reservation, least, most);
  }

  settle(reservation: Reservation, settlement: Settlement): void {
    this.book.settle(reservation, settlement);
  }
}
