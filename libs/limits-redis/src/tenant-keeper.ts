import type { Settlement, UsageEntry, UsageOrigin, UsageOutcome } from '#lib/limits';
import type { RedisClient } from '#lib/redis';
import { runScript, TENANTS_KEY, tenantKeys } from './redis-scripts.js';

export type TakeEntries = (entries: readonly UsageEntry[]) => Promise<void>;

interface KeeperOptions {
  readonly gatewayId: string;
  readonly leaseMs: number;
  readonly takeEntries: TakeEntries;
  readonly onFailure: (error: unknown) => void;
}

/** How often it is said that this gateway is alive, and looked for those that are not. */
const TEND_INTERVAL_MS = 1_000;
const OUTBOX_BATCH = 500;
/** Settlements that may wait for Redis, about 2 MB; then nothing more is begun. What runs is settled all the same. */
const MAX_UNSETTLED = 10_000;

/** The end of a reservation, until Redis has heard of it. */
export interface EndedReservation {
  readonly id: string;
  readonly settlement: Settlement;
  /** What the script needs beside it when Redis has begun empty since: see scripts/settle.ts. */
  readonly ifForgotten: readonly (string | number)[];
}

/** What a tenant had when it was last looked after. */
interface TendedTenant {
  readonly tenantId: string;
  readonly liveCount: number;
  readonly waitingCount: number;
}

/**
 * What a gateway does for its reservations in Redis beside the requests: it says that it is alive, tells what was settled until
 * Redis has heard it, and brings entries from the outbox to the ledger: its own, and those of tenants whose gateways died.
 *
 * Nothing that is said to Redis waits for the ledger: a ledger that is slow or away costs no tenant its reservations.
 */
export class TenantKeeper {
  /** Reservations that are not settled, by tenant; a tenant without any stays until its outbox was looked at. */
  private readonly held = new Map<string, Set<string>>();
  private readonly unsettled = new Map<string, EndedReservation & { readonly tenantId: string }>();
  private timer: NodeJS.Timeout | undefined;
  private tending: Promise<void> | undefined;
  private emptying: Promise<void> | undefined;
  private isClosed = false;

  constructor(
    private readonly client: RedisClient,
    private readonly options: KeeperOptions,
  ) {
    this.schedule();
  }

  /** Redis has been away so long that nothing more should be begun. */
  get isBehind(): boolean {
    return this.unsettled.size >= MAX_UNSETTLED;
  }

  /** Before a reservation is made: from then on somebody looks after its tenant, even when this process ends. */
  async hold(tenantId: string, id: string): Promise<void> {
    const ids = this.held.get(tenantId);
    if (ids !== undefined) {
      ids.add(id);
      return;
    }
    this.held.set(tenantId, new Set([id]));
    await this.tenants([tenantId]);
  }

  /** A reservation that is not there. */
  drop(tenantId: string, id: string): void {
    this.held.get(tenantId)?.delete(id);
  }

  end(tenantId: string, ended: EndedReservation): void {
    const { id } = ended;
    this.unsettled.set(id, { ...ended, tenantId });
    this.settle(id).catch(() => {}); // tried again with the next round
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.tending;
    await this.emptying;
    await this.tend();
  }

  /** Tells Redis what there is to tell, and then the ledger. */
  async tend(): Promise<void> {
    await this.bringToLedger(await this.renew());
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      this.tending = this.renew()
        .then((tended) => this.startToBring(tended))
        .catch((error: unknown) => this.options.onFailure(error))
        .finally(() => this.isClosed || this.schedule());
    }, TEND_INTERVAL_MS);
    this.timer.unref();
  }

  /** One at a time: what comes meanwhile is seen in a later round. */
  private startToBring(tended: readonly TendedTenant[]): void {
    this.emptying ??= this.bringToLedger(tended)
      .catch((error: unknown) => this.options.onFailure(error))
      .finally(() => {
        this.emptying = undefined;
      });
  }

  private async renew(): Promise<readonly TendedTenant[]> {
    await allOf([...this.unsettled.keys()].map((id) => this.settle(id)));
    const own = [...this.held.keys()];
    const abandoned = await this.tenants(own);
    return allOf([...new Set([...own, ...abandoned])].map((tenantId) => this.renewTenant(tenantId)));
  }

  /** Says which tenants are looked after here. @returns those that nobody looks after */
  private async tenants(own: readonly string[]): Promise<string[]> {
    const values = [this.options.leaseMs, ...own];
    return (await runScript(this.client, 'hydraTenants', [TENANTS_KEY], values)) as string[];
  }

  private async renewTenant(tenantId: string): Promise<TendedTenant> {
    const { gatewayId, leaseMs } = this.options;
    const isHolder = (this.held.get(tenantId)?.size ?? 0) > 0;
    const values = [isHolder ? gatewayId : '', leaseMs];
    const reply = await runScript(this.client, 'hydraTend', tenantKeys(tenantId), values);
    const [liveCount, waitingCount] = reply as [number, number];
    return { tenantId, liveCount, waitingCount };
  }

  /** Tenant after tenant: one whose entries the ledger does not take holds up no other. */
  private async bringToLedger(tended: readonly TendedTenant[]): Promise<void> {
    const failures: unknown[] = [];
    for (const { tenantId, liveCount, waitingCount } of tended) {
      try {
        if (waitingCount !== 0) await this.emptyOutbox(tenantId);
        if (this.held.get(tenantId)?.size === 0) this.held.delete(tenantId);
        if (liveCount === 0 && !this.held.has(tenantId)) {
          await runScript(this.client, 'hydraForget', [TENANTS_KEY], [this.options.leaseMs, tenantId]);
        }
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Entries leave the outbox when the ledger has them; it knows those that it is told twice. */
  async emptyOutbox(tenantId: string): Promise<void> {
    const outbox = tenantKeys(tenantId)[3] as string;
    for (;;) {
      const found = await this.client.xrange(outbox, '-', '+', 'COUNT', OUTBOX_BATCH);
      if (found.length === 0) return;
      await this.options.takeEntries(found.map(([, fields]) => toEntry(tenantId, fields)));
      await this.client.xdel(outbox, ...found.map(([id]) => id));
    }
  }

  private async settle(id: string): Promise<void> {
    const waiting = this.unsettled.get(id);
    if (waiting === undefined) return;
    const { tenantId, settlement, ifForgotten } = waiting;
    const { promptTokens, cachedTokens, completionTokens, outcome } = settlement;
    const values = [id, promptTokens, cachedTokens, completionTokens, outcome, ...ifForgotten];
    await runScript(this.client, 'hydraSettle', tenantKeys(tenantId), values);
    this.unsettled.delete(id);
    this.held.get(tenantId)?.delete(id);
  }
}

/** Waits for all, also when some fail. @throws what the first of those failed with */
async function allOf<Result>(promises: readonly Promise<Result>[]): Promise<Result[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** An entry of the outbox: names and values in turn. */
function toEntry(tenantId: string, fields: readonly string[]): UsageEntry {
  const of = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
  return {
    ...(JSON.parse(of('about')) as UsageOrigin),
    id: of('id'),
    tenantId,
    promptTokens: Number(of('prompt')),
    cachedTokens: Number(of('cached')),
    completionTokens: Number(of('completion')),
    costNanos: Number(of('nanos')),
    outcome: of('outcome') as UsageOutcome,
    atMs: Number(of('at')),
  };
}
