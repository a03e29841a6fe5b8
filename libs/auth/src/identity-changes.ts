import { randomUUID } from 'node:crypto';
import { type ExpressionBuilder, type Kysely, sql, type Transaction } from 'kysely';
import type { Database } from '#lib/database';
import { AdministrationError } from './errors.js';
import { type ListPart, noEntry } from './list-part.js';

type Tables = Database extends Kysely<infer T> ? T : never;
export type Change = Transaction<Tables>;

/** Who does it, for the audit log. */
export interface Actor {
  readonly name: string;
  readonly address: string;
}

export interface AuditEntry {
  readonly id: string;
  readonly atMs: number;
  readonly actor: string;
  readonly tenantId: string | undefined;
  readonly action: string;
  readonly target: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly address: string;
}

/** What is done, for the audit log. */
interface Act {
  readonly tenantId: string | undefined;
  readonly action: string;
  readonly target: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

const REVISION = 'identity';

/**
 * Every change of identities is one transaction with its entry in the audit log, and moves the revision by which other
 * processes see that what they hold is old.
 */
export class IdentityChanges {
  private readonly listeners: (() => void)[] = [];

  constructor(
    readonly database: Database,
    readonly now: () => number,
  ) {}

  /** Called after each change that was made through this store. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  async revision(): Promise<number> {
    const row = await this.database
      .selectFrom('revisions')
      .select('value')
      .where('name', '=', REVISION)
      .executeTakeFirst();
    return row?.value ?? 0;
  }

  /**
   * Newest first.
   * @param tenantId  absent: of all tenants
   * @throws AdministrationError not-found when the entry is not there after which to begin
   */
  async audit(tenantId: string | undefined, { limit, after }: ListPart): Promise<AuditEntry[]> {
    let query = this.database.selectFrom('auditLog').selectAll();
    if (tenantId !== undefined) query = query.where('tenantId', '=', tenantId);
    if (after !== undefined) {
      const last = await this.database.selectFrom('auditLog').select('atMs').where('id', '=', after).executeTakeFirst();
      if (last === undefined) throw noEntry(after);
      const isEarlier = (where: ExpressionBuilder<Tables, 'auditLog'>) =>
        where.or([where('atMs', '<', last.atMs), where.and([where('atMs', '=', last.atMs), where('id', '<', after)])]);
      query = query.where(isEarlier);
    }
    if (limit !== undefined) query = query.limit(limit);
    const rows = await query.orderBy('atMs', 'desc').orderBy('id', 'desc').execute();
    return rows.map(({ detailsJson, tenantId: of, ...row }) => ({
      ...row,
      tenantId: of ?? undefined,
      details: JSON.parse(detailsJson) as Record<string, unknown>,
    }));
  }

  /** An act that changes no identities. */
  async note(actor: Actor, act: Act): Promise<void> {
    await this.change(actor, act, async () => {});
  }

  /** The revision moves first: that takes the lock which keeps changes one after another. */
  async change<T>(actor: Actor, act: Act, work: (change: Change) => Promise<T>): Promise<T> {
    const result = await this.database.transaction().execute(async (change) => {
      await change
        .insertInto('revisions')
        .values({ name: REVISION, value: 1 })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: sql`revisions.value + 1` }))
        .execute();
      const made = await work(change);
      const { tenantId = null, action, target, details = {} } = act;
      await change
        .insertInto('auditLog')
        .values({
          ...{ id: newId(), atMs: this.now(), actor: actor.name, address: actor.address },
          ...{ tenantId, action, target, detailsJson: JSON.stringify(details) },
        })
        .execute();
      return made;
    });
    for (const listener of this.listeners) listener();
    return result;
  }
}

/** @throws AdministrationError not-found */
export async function assertTenant(change: Change, id: string): Promise<void> {
  const found = await change.selectFrom('tenants').select('id').where('id', '=', id).executeTakeFirst();
  if (found === undefined) throw noTenant(id);
}

export function noTenant(id: string): AdministrationError {
  return new AdministrationError('not-found', `there is no tenant '${id}'`, 'tenant');
}

export function noAccount(name: string): AdministrationError {
  return new AdministrationError('not-found', `there is no service account '${name}'`, 'account');
}

export function newId(): string {
  return randomUUID().replaceAll('-', '');
}
