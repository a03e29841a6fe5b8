import type { Limits } from '#lib/limits';
import { AdministrationError } from './errors.js';
import { type Actor, assertTenant, type IdentityChanges } from './identity-changes.js';

/** The limits of a tenant, or of one of its keys; with one model, or with all together. */
export interface StoredLimits {
  /** Absent: of the tenant as a whole. */
  readonly keyId: string | undefined;
  /** Absent: of all models together. */
  readonly modelId: string | undefined;
  readonly limits: Limits;
}

/** What tenants and keys may use. */
export class LimitStore {
  constructor(private readonly changes: IdentityChanges) {}

  /**
   * Puts limits in the place of those that were; none at all takes them away.
   * @throws AdministrationError not-found without its tenant, or without such a key of it
   */
  set(tenantId: string, { keyId, modelId, limits }: StoredLimits, actor: Actor): Promise<void> {
    const act = { tenantId, action: 'limits-set', target: keyId ?? tenantId, details: { modelId, ...limits } };
    return this.changes.change(actor, act, async (change) => {
      await assertTenant(change, tenantId);
      if (keyId !== undefined) {
        const key = change.selectFrom('apiKeys').select('id').where('id', '=', keyId).where('tenantId', '=', tenantId);
        if ((await key.executeTakeFirst()) === undefined) {
          throw new AdministrationError('not-found', `there is no key '${keyId}'`, 'key');
        }
      }
      const id = { tenantId, keyId: keyId ?? '', modelId: modelId ?? '' };
      const before = change.deleteFrom('limits').where('tenantId', '=', tenantId).where('keyId', '=', id.keyId);
      await before.where('modelId', '=', id.modelId).execute();
      if (Object.values(limits).every((limit) => limit === undefined)) return;
      await change
        .insertInto('limits')
        .values({ ...id, limitsJson: JSON.stringify(limits) })
        .execute();
    });
  }

  /** Of the tenant as a whole first, and of all models together before those of each. */
  async list(tenantId: string): Promise<StoredLimits[]> {
    const rows = await this.changes.database
      .selectFrom('limits')
      .selectAll()
      .where('tenantId', '=', tenantId)
      .orderBy('keyId')
      .orderBy('modelId')
      .execute();
    return rows.map(({ keyId, modelId, limitsJson }) => ({
      keyId: keyId === '' ? undefined : keyId,
      modelId: modelId === '' ? undefined : modelId,
      limits: JSON.parse(limitsJson) as Limits,
    }));
  }
}
