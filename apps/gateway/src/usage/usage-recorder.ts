import { Inject, Injectable } from '@nestjs/common';
import { UsageLedger, UsageWriter } from '#lib/ledger';
import { type LimitBook, MemoryLimitBook, type UsageEntry } from '#lib/limits';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { Identity } from '../identity/identity.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { UsageBook } from './usage-book.js';

/** Where what was used is counted and written down; without a database it is only counted. */
@Injectable()
export class UsageRecorder {
  readonly ledger: UsageLedger | undefined;
  readonly book: LimitBook;
  private readonly writer: UsageWriter | undefined;

  constructor(
    identity: Identity,
    private readonly metrics: GatewayMetrics,
    @Inject(APP_LOGGER) logger: Logger,
  ) {
    const counts = new MemoryLimitBook(steadyNowMs, (entry) => this.settled(entry));
    if (identity.database === undefined) {
      this.book = counts;
      return;
    }
    const ledger = new UsageLedger(identity.database);
    this.ledger = ledger;
    const writer = new UsageWriter(
      (entries) => ledger.append(entries),
      (error) => logger.warn({ error }, 'usage could not be written; it is tried again'),
    );
    this.writer = writer;
    metrics.observeWaitingUsage(() => writer.waitingCount);
    this.book = new UsageBook(counts, ledger, writer, steadyNowMs);
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    await this.writer?.flush();
  }

  private settled(entry: UsageEntry): void {
    this.metrics.tenantUsed(entry);
    this.writer?.add(entry);
  }
}

/** Milliseconds since the Unix epoch of a clock that does not jump. */
function steadyNowMs(): number {
  return performance.timeOrigin + performance.now();
}
