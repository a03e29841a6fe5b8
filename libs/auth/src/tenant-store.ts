import { randomBytes } from 'node:crypto';
import { AdministrationError } from './errors.js';
import { type Actor, assertTenant, type IdentityChanges, newId, noAccount, noTenant } from './identity-changes.js';
import { type ListPart, noEntry } from './list-part.js';
import { parseList } from './stored-json.js';

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly state: 'active' | 'suspended';
  readonly cacheSalt: string;
  readonly createdAtMs: number;
}

export interface ServiceAccount {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly createdAtMs: number;
}

const SALT_BYTES = 16;

/** Tenants and their service accounts. */
export class TenantStore {
  constructor(private readonly changes: IdentityChanges) {}

  /** @throws AdministrationError conflict when the id is taken */
  create({ id, name }: Pick<Tenant, 'id' | 'name'>, actor: Actor): Promise<Tenant> {
    const cacheSalt = randomBytes(SALT_BYTES).toString('hex');
    const tenant: Tenant = { id, name, state: 'active', cacheSalt, createdAtMs: this.changes.now() };
    return this.changes.change(
      actor,
      { tenantId: id, action: 'tenant-create', target: id, details: { name } },
      async (change) => {
        const { numInsertedOrUpdatedRows } = await change
          .insertInto('tenants')
          .values(tenant)
          .onConflict((conflict) => conflict.column('id').doNothing())
          .executeTakeFirst();
        if (numInsertedOrUpdatedRows === 0n) {
          throw new AdministrationError('conflict', `the tenant '${id}' exists already`, 'id');
        }
        return tenant;
      },
    );
  }

  /** @throws AdministrationError not-found */
  setState(id: string, state: Tenant['state'], actor: Actor): Promise<void> {
    return this.changes.change(actor, { tenantId: id, action: `tenant-${state}`, target: id }, async (change) => {
      const { numUpdatedRows } = await change
        .updateTable('tenants')
        .set({ state })
        .where('id', '=', id)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw noTenant(id);
    });
  }

  /** @throws AdministrationError not-found */
  async assertThere(id: string): Promise<void> {
    if ((await this.find(id)) === undefined) throw noTenant(id);
  }

  async find(id: string): Promise<Tenant | undefined> {
    return this.changes.database.selectFrom('tenants').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /** @throws AdministrationError not-found when the tenant is not there after which to begin */
  async list({ limit, after }: ListPart = {}): Promise<Tenant[]> {
    let query = this.changes.database.selectFrom('tenants').selectAll();
    if (after !== undefined) {
      if ((await this.find(after)) === undefined) throw noEntry(after);
      query = query.where('id', '>', after);
    }
    if (limit !== undefined) query = query.limit(limit);
    return query.orderBy('id').execute();
  }

  /** @throws AdministrationError not-found without its tenant; conflict when the name is taken */
  createAccount(
    { tenantId, name, roles }: Pick<ServiceAccount, 'tenantId' | 'name' | 'roles'>,
    actor: Actor,
  ): Promise<ServiceAccount> {
    const id = newId();
    const act = { tenantId, action: 'account-create', target: id, details: { name, roles } };
    return this.changes.change(actor, act, async (change) => {
      await assertTenant(change, tenantId);
      const account = { id, tenantId, name, roles, createdAtMs: this.changes.now() };
      const { roles: _, ...row } = { ...account, rolesJson: JSON.stringify(roles) };
      const { numInsertedOrUpdatedRows } = await change
        .insertInto('serviceAccounts')
        .values(row)
        .onConflict((conflict) => conflict.columns(['tenantId', 'name']).doNothing())
        .executeTakeFirst();
      if (numInsertedOrUpdatedRows === 0n) {
        throw new AdministrationError('conflict', `the service account '${name}' exists already`, 'name');
      }
      return account;
    });
  }

  /**
   * Gives a service account other roles, and so all of its keys; none to take everything from it.
   * @throws AdministrationError not-found
   */
  setRoles(tenantId: string, name: string, roles: readonly string[], actor: Actor): Promise<void> {
    const act = { tenantId, action: 'account-roles', target: name, details: { roles } };
    return this.changes.change(actor, act, async (change) => {
      const { numUpdatedRows } = await change
        .updateTable('serviceAccounts')
        .set({ rolesJson: JSON.stringify(roles) })
        .where('tenantId', '=', tenantId)
        .where('name', '=', name)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw noAccount(name);
    });
  }

  /** By name. @throws AdministrationError not-found when the account is not there after which to begin */
  async accounts(tenantId: string, { limit, after }: ListPart = {}): Promise<ServiceAccount[]> {
    const ofTenant = this.changes.database.selectFrom('serviceAccounts').selectAll().where('tenantId', '=', tenantId);
    let query = ofTenant;
    if (after !== undefined) {
      const last = await ofTenant.where('id', '=', after).executeTakeFirst();
      if (last === undefined) throw noEntry(after);
      query = query.where('name', '>', last.name);
    }
    if (limit !== undefined) query = query.limit(limit);
    const rows = await query.orderBy('name').execute();
    return rows.map(({ rolesJson, ...row }) => ({ ...row, roles: parseList(rolesJson) }));
  }
}
