import { sql } from 'kysely';
import type { ApiKeyRow, Database } from '#lib/database';
import { type MintedKey, mintApiKey } from './api-key.js';
import { AdministrationError } from './errors.js';
import { type Actor, type Change, type IdentityChanges, noAccount } from './identity-changes.js';
import { type ListPart, noEntry } from './list-part.js';
import type { Scope } from './principal.js';
import { parseList } from './stored-json.js';

/** A key without what it is made of. */
export interface StoredKey {
  readonly id: string;
  readonly tenantId: string;
  readonly accountId: string;
  readonly accountName: string;
  readonly roles: readonly string[];
  readonly scopes: readonly Scope[];
  readonly createdAtMs: number;
  readonly expiresAtMs: number | undefined;
  readonly revokedAtMs: number | undefined;
  readonly lastUsedAtMs: number | undefined;
  /** Id of the first of the keys that came of each other by rotation; limits are theirs together. */
  readonly lineageId: string;
}

/** A key as it is checked. */
export type CheckedKey = StoredKey & { readonly hash: string };

/** A key at its birth: the one time its text is known. */
export interface NewKey {
  readonly key: StoredKey;
  readonly text: string;
}

/** A key that is to be made. */
interface KeyWish {
  readonly tenantId: string;
  readonly accountName: string;
  readonly scopes: readonly Scope[];
  readonly expiresAtMs: number | undefined;
  /** Of the key in whose place it comes. */
  readonly lineageId?: string;
}

/** API keys; only their hashes are stored. */
export class KeyStore {
  constructor(private readonly changes: IdentityChanges) {}

  /**
   * Makes a key for a service account of the tenant.
   * @param expiresAtMs  absent: it does not expire
   * @throws AdministrationError not-found without such an account
   */
  create(wish: KeyWish, actor: Actor): Promise<NewKey> {
    const { tenantId, accountName, scopes, expiresAtMs } = wish;
    const minted = mintApiKey();
    const act = { tenantId, action: 'key-create', target: minted.id, details: { accountName, scopes, expiresAtMs } };
    return this.changes.change(actor, act, (change) => this.insert(change, minted, wish));
  }

  /**
   * Makes a key like `id`, which goes on being good for `overlapMs`. Limits of the one are those of the other, and what both use counts together.
   * @throws AdministrationError not-found; conflict when the key is revoked or expired
   */
  async rotate(tenantId: string, id: string, overlapMs: number, actor: Actor): Promise<NewKey> {
    const minted = mintApiKey();
    const revokedAtMs = this.changes.now() + overlapMs;
    const act = { tenantId, action: 'key-rotate', target: id, details: { madeId: minted.id, revokedAtMs } };
    return this.changes.change(actor, act, async (change) => {
      const old = await this.find(id, change);
      if (old === undefined || old.tenantId !== tenantId) throw noKey(id);
      if (!isGood(old, this.changes.now()))
        throw new AdministrationError('conflict', `the key '${id}' is not good any more`, 'id');
      await markRevoked(change, tenantId, id, revokedAtMs);
      return this.insert(change, minted, old);
    });
  }

  /** @param inMs  from now; 0 for at once. An earlier end of the key stays. @throws AdministrationError not-found */
  revoke(tenantId: string, id: string, inMs: number, actor: Actor): Promise<void> {
    const revokedAtMs = this.changes.now() + inMs;
    const act = { tenantId, action: 'key-revoke', target: id, details: { revokedAtMs } };
    return this.changes.change(actor, act, (change) => markRevoked(change, tenantId, id, revokedAtMs));
  }

  async find(id: string, database: Database = this.changes.database): Promise<CheckedKey | undefined> {
    const row = await keyRows(database).where('apiKeys.id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : toKey(row);
  }

  /** In the order in which they were made. @throws AdministrationError not-found when the key is not there after which to begin */
  async list(tenantId: string, { limit, after }: ListPart = {}): Promise<StoredKey[]> {
    const ofTenant = keyRows(this.changes.database).where('apiKeys.tenantId', '=', tenantId);
    let query = ofTenant;
    if (after !== undefined) {
      const last = await ofTenant.where('apiKeys.id', '=', after).executeTakeFirst();
      if (last === undefined) throw noEntry(after);
      query = query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('apiKeys.createdAtMs', 'apiKeys.id'), '>', tuple(last.createdAtMs, last.id)),
      );
    }
    if (limit !== undefined) query = query.limit(limit);
    const rows = await query.orderBy('apiKeys.createdAtMs').orderBy('apiKeys.id').execute();
    return rows.map(toKey).map(({ hash: _, ...key }) => key);
  }

  /** No change of what a key may do: neither audited nor seen by other processes. @param usedAtMs  by id of the key */
  async touch(usedAtMs: ReadonlyMap<string, number>): Promise<void> {
    for (const [id, atMs] of usedAtMs) {
      await this.changes.database
        .updateTable('apiKeys')
        .set({ lastUsedAtMs: atMs })
        .where('id', '=', id)
        .where((where) => where.or([where('lastUsedAtMs', 'is', null), where('lastUsedAtMs', '<', atMs)]))
        .execute();
    }
  }

  private async insert(change: Change, minted: MintedKey, wish: KeyWish): Promise<NewKey> {
    const { tenantId, accountName, scopes, expiresAtMs, lineageId = minted.id } = wish;
    const account = await change
      .selectFrom('serviceAccounts')
      .selectAll()
      .where('tenantId', '=', tenantId)
      .where('name', '=', accountName)
      .executeTakeFirst();
    if (account === undefined) throw noAccount(accountName);
    const row = {
      ...{ id: minted.id, hash: minted.hash, tenantId, accountId: account.id, createdAtMs: this.changes.now() },
      ...{ scopesJson: JSON.stringify(scopes), expiresAtMs: expiresAtMs ?? null },
      ...{ revokedAtMs: null, lastUsedAtMs: null, lineageId },
    };
    await change.insertInto('apiKeys').values(row).execute();
    const { hash: _, ...key } = toKey({ ...row, accountName, rolesJson: account.rolesJson });
    return { key, text: minted.text };
  }
}

function keyRows(database: Database) {
  return database
    .selectFrom('apiKeys')
    .innerJoin('serviceAccounts', 'serviceAccounts.id', 'apiKeys.accountId')
    .selectAll('apiKeys')
    .select(['serviceAccounts.name as accountName', 'serviceAccounts.rolesJson']);
}

/** An earlier end of the key stays. @throws AdministrationError not-found */
async function markRevoked(change: Change, tenantId: string, id: string, revokedAtMs: number): Promise<void> {
  const { numUpdatedRows } = await change
    .updateTable('apiKeys')
    .set({
      revokedAtMs: sql<number>`case when revoked_at_ms < ${revokedAtMs} then revoked_at_ms else ${revokedAtMs} end`,
    })
    .where('id', '=', id)
    .where('tenantId', '=', tenantId)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw noKey(id);
}

/** Whether a key may be used at the time. */
export function isGood({ expiresAtMs, revokedAtMs }: StoredKey, nowMs: number): boolean {
  return nowMs < (expiresAtMs ?? Infinity) && nowMs < (revokedAtMs ?? Infinity);
}

function noKey(id: string): AdministrationError {
  return new AdministrationError('not-found', `there is no key '${id}'`, 'id');
}

function toKey(row: ApiKeyRow & { readonly accountName: string; readonly rolesJson: string }): CheckedKey {
  const { scopesJson, rolesJson, expiresAtMs, revokedAtMs, lastUsedAtMs, lineageId, ...rest } = row;
  return {
    ...rest,
    roles: parseList(rolesJson),
    scopes: parseList<Scope>(scopesJson),
    expiresAtMs: expiresAtMs ?? undefined,
    revokedAtMs: revokedAtMs ?? undefined,
    lastUsedAtMs: lastUsedAtMs ?? undefined,
    lineageId: lineageId ?? row.id,
  };
}
