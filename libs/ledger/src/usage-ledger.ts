import { sql } from 'kysely';
import type { Database } from '#lib/database';
import { type Amount, PERIODS, type Period, periodNumber, periodStartMs, type UsageEntry } from '#lib/limits';

/** What usage can be summed by. */
export const USAGE_DIMENSIONS = ['tenant', 'key', 'model', 'day'] as const;
export type UsageDimension = (typeof USAGE_DIMENSIONS)[number];

const COLUMNS = { tenant: 'tenantId', key: 'keyId', model: 'modelId', day: 'day' } as const satisfies Record<
  UsageDimension,
  string
>;

/** Whose usage; absent: of all. */
export interface UsageScope {
  readonly tenantId?: string | undefined;
  readonly keyId?: string | undefined;
  readonly modelId?: string | undefined;
}

export interface UsageQuestion extends UsageScope {
  /** Days since the Unix epoch, by UTC; both are included. */
  readonly fromDay: number;
  readonly toDay: number;
  readonly by: readonly UsageDimension[];
  /** Most sums that are answered. */
  readonly limit: number;
}

/** One sum. What is not asked by is absent. */
export interface UsageSum {
  readonly tenantId?: string;
  readonly keyId?: string;
  readonly modelId?: string;
  readonly day?: number;
  readonly requests: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly costNanos: number;
}

/** Columns of a row, and far fewer parameters in a statement than either database takes. */
const ROWS_PER_STATEMENT = 500;

/** What was used: appended to, never changed; each id counts once, however often it is told. */
export class UsageLedger {
  constructor(private readonly database: Database) {}

  /** Each statement takes its rows in the order of their ids, so that two of them never wait for each other. */
  async append(entries: readonly UsageEntry[]): Promise<void> {
    const ordered = entries.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (let i = 0; i < ordered.length; i += ROWS_PER_STATEMENT) {
      const rows = ordered
        .slice(i, i + ROWS_PER_STATEMENT)
        .map((entry) => ({ ...entry, day: periodNumber('day', entry.atMs) }));
      await this.database
        .insertInto('usageEntries')
        .values(rows)
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute();
    }
  }

  /** In the order of what it is summed by. */
  async sums({ fromDay, toDay, by, limit, ...scope }: UsageQuestion): Promise<UsageSum[]> {
    const columns = by.map((dimension) => COLUMNS[dimension]);
    let query = this.within(scope, fromDay, toDay).select(columns);
    if (columns.length > 0) query = query.groupBy(columns);
    for (const column of columns) query = query.orderBy(column);
    return query.limit(limit).execute();
  }

  /**
   * What a scope has used in the present day and month; a key together with those that came of it by rotation, which have its limits.
   */
  async used(scope: UsageScope, nowMs: number): Promise<Readonly<Record<Period, Amount>>> {
    const amounts = PERIODS.map(async (period): Promise<[Period, Amount]> => {
      const first = periodNumber('day', periodStartMs(period, periodNumber(period, nowMs)));
      const sum = await this.withSuccessors(scope, first, periodNumber('day', nowMs)).executeTakeFirstOrThrow();
      return [period, { tokens: sum.promptTokens + sum.completionTokens, nanos: sum.costNanos }];
    });
    return Object.fromEntries(await Promise.all(amounts)) as Record<Period, Amount>;
  }

  private withSuccessors({ keyId, ...scope }: UsageScope, fromDay: number, toDay: number) {
    const query = this.within(scope, fromDay, toDay);
    if (keyId === undefined) return query;
    const successors = this.database.selectFrom('apiKeys').select('id').where('lineageId', '=', keyId);
    return query.where((where) => where.or([where('keyId', '=', keyId), where('keyId', 'in', successors)]));
  }

  private within({ tenantId, keyId, modelId }: UsageScope, fromDay: number, toDay: number) {
    let query = this.database
      .selectFrom('usageEntries')
      .select((select) => [
        select.cast<number>(select.fn.countAll(), 'bigint').as('requests'),
        sum('promptTokens'),
        sum('cachedTokens'),
        sum('completionTokens'),
        sum('costNanos'),
      ])
      .where('day', '>=', fromDay)
      .where('day', '<=', toDay);
    if (tenantId !== undefined) query = query.where('tenantId', '=', tenantId);
    if (keyId !== undefined) query = query.where('keyId', '=', keyId);
    if (modelId !== undefined) query = query.where('modelId', '=', modelId);
    return query;
  }
}

/** Of whole numbers, as one: PostgreSQL would make a decimal of it. */
function sum<Column extends string>(column: Column) {
  return sql<number>`cast(coalesce(sum(${sql.ref(column)}), 0) as bigint)`.as(column);
}
