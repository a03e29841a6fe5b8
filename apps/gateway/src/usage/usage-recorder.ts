import { Inject, Injectable } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import type { HydraConfig } from '#lib/config';
import { UsageLedger, UsageWriter } from '#lib/ledger';
import { type LimitBook, MemoryLimitBook, type UsageEntry } from '#lib/limits';
import { connectRedis, RedisLimitBook, RedisRequestWindows } from '#lib/limits-redis';
import { APP_LOGGER, type Logger } from '#lib/observability';
import type { RedisClient } from '#lib/redis';
import { GATEWAY_CONFIG, GATEWAY_ID } from '../gateway-config.js';
import { Identity } from '../identity/identity.js';
import { OutageBook, OutagePolicy, OutageWindows } from '../limits/outage.js';
import { MemoryRequestWindows } from '../limits/request-windows.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { UsageBook } from './usage-book.js';

/** Where what is used is counted and written down; without a database it is only counted. */
@Injectable()
export class UsageRecorder {
  readonly ledger: UsageLedger | undefined;
  readonly book: LimitBook;
  /** Requests by the minute. */
  readonly windows: ThrottlerStorage;
  /** What gateways share; absent for one that counts for itself. */
  readonly redis: RedisClient | undefined;
  private readonly closers: (() => Promise<void>)[] = [];

  constructor(
    @Inject(GATEWAY_CONFIG) config: HydraConfig,
    @Inject(GATEWAY_ID) gatewayId: string,
    identity: Identity,
    private readonly metrics: GatewayMetrics,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {
    const windows = new MemoryRequestWindows();
    if (identity.database === undefined) {
      this.book = new MemoryLimitBook(steadyNowMs, (entry) => metrics.tenantUsed(entry));
      this.windows = windows;
      return;
    }
    const ledger = new UsageLedger(identity.database);
    this.ledger = ledger;
    const writer = this.openWriter(ledger);
    const counts = new MemoryLimitBook(steadyNowMs, (entry) => {
      metrics.tenantUsed(entry);
      writer.add(entry);
    });
    const { redisUrl, redisCluster } = config.limits;
    if (redisUrl === undefined) {
      this.book = new UsageBook(counts, ledger, writer, steadyNowMs);
      this.windows = windows;
      return;
    }
    const client = connectRedis(redisUrl, redisCluster);
    this.redis = client;
    metrics.observeSharedLimits(() => (client.status === 'ready' ? 1 : 0));
    const shared = new RedisLimitBook(client, {
      gatewayId,
      takeEntries: (entries) => this.takeEntries(entries),
      usedBefore: (tenantId, { keyId, modelId }, nowMs) => ledger.used({ tenantId, keyId, modelId }, nowMs),
      onFailure: (error) =>
        logger.warn({ error }, 'what is reserved in Redis could not be looked after; it is tried again'),
    });
    this.closers.unshift(async () => {
      await shared.close();
      client.disconnect();
    });
    const shareNow = () => (config.limits.onOutage === 'local' ? config.limits.outageShare : undefined);
    const policy = new OutagePolicy(shareNow, (decision) => metrics.decidedWithoutRedis(decision));
    this.book = new OutageBook(shared, counts, policy);
    this.windows = new OutageWindows(new RedisRequestWindows(client), windows, policy);
  }

  /** Writes what waits. What cannot be written is logged. */
  async close(): Promise<void> {
    for (const close of this.closers) {
      await close().catch((error: unknown) => this.logger.error({ error }, 'usage could not be written at the end'));
    }
  }

  private openWriter(ledger: UsageLedger): UsageWriter {
    const writer = new UsageWriter(
      (entries) => ledger.append(entries),
      (error) => this.logger.warn({ error }, 'usage could not be written; it is tried again'),
    );
    this.metrics.observeWaitingUsage(() => writer.waitingCount);
    this.closers.push(() => writer.flush());
    return writer;
  }

  private async takeEntries(entries: readonly UsageEntry[]): Promise<void> {
    await this.ledger?.append(entries);
    for (const entry of entries) this.metrics.tenantUsed(entry);
  }
}

/** Milliseconds since the Unix epoch of a clock that does not jump. */
function steadyNowMs(): number {
  return performance.timeOrigin + performance.now();
}
