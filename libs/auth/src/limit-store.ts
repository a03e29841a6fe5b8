import { hasLimit, type Limits } from '#lib/limits';
import { AdministrationError } from './errors.js';
import { type Actor, assertTenant, type Change, type IdentityChanges } from './identity-changes.js';
import { type ListPart, noEntry } from './list-part.js';
import { parseRecord } from './stored-json.js';

/** The limits of a tenant, or of one of its keys; with one model, or with all together. */
export interface StoredLimits {
  /** Of the key with this id and all that came of it by rotation. Absent: of the tenant as a whole. */
  readonly keyId: string | undefined;
  /** Absent: of all models together. */
  readonly modelId: string | undefined;
  readonly limits: Limits;
}

/** What tenants and keys may use. */
export class LimitStore {
  constructor(private readonly changes: IdentityChanges) {}

  /**
   * Puts limits in the place of those that were; none at all takes them away. Those of a key are stored as those of its lineage.
   * @returns what is stored
   * @throws AdministrationError not-found without its tenant, or without such a key of it
   */
  set(tenantId: string, { keyId, modelId, limits }: StoredLimits, actor: Actor): Promise<StoredLimits> {
    const act = { tenantId, action: 'limits-set', target: keyId ?? tenantId, details: { modelId, ...limits } };
    return this.changes.change(actor, act, async (change) => {
      await assertTenant(change, tenantId);
      const lineageId = keyId === undefined ? undefined : await lineageOf(change, tenantId, keyId);
      const stored = { keyId: lineageId, modelId, limits };
      const id = { tenantId, keyId: lineageId ?? '', modelId: modelId ?? '' };
      const before = change.deleteFrom('limits').where('tenantId', '=', tenantId).where('keyId', '=', id.keyId);
      await before.where('modelId', '=', id.modelId).execute();
      if (!hasLimit(limits)) return stored;
      await change
        .insertInto('limits')
        .values({ ...id, limitsJson: JSON.stringify(limits) })
        .execute();
      return stored;
    });
  }

  /**
   * Of the tenant as a whole first, and of all models together before those of each.
   * @param part  begins after an `idOfLimits`, whether they are there or not
   */
  async list(tenantId: string, { limit, after }: ListPart = {}): Promise<StoredLimits[]> {
    let query = this.changes.database.selectFrom('limits').selectAll().where('tenantId', '=', tenantId);
    if (after !== undefined) {
      const [keyId, modelId] = keyAndModelOf(after);
      query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('keyId', 'modelId'), '>', tuple(keyId, modelId)));
    }
    if (limit !== undefined) query = query.limit(limit);
    const rows = await query.orderBy('keyId').orderBy('modelId').execute();
    return rows.map(({ keyId, modelId, limitsJson }) => ({
      keyId: keyId === '' ? undefined : keyId,
      modelId: modelId === '' ? undefined : modelId,
      limits: parseRecord<Limits>(limitsJson),
    }));
  }
}

const OF_TENANT = 'tenant';

/** What tells limits of a tenant apart: whose they are, and with which model. */
export function idOfLimits({ keyId, modelId }: StoredLimits): string {
  return `${keyId ?? OF_TENANT}/${modelId ?? ''}`;
}

/** As they are stored. @throws AdministrationError not-found for what is no id of limits */
function keyAndModelOf(id: string): [keyId: string, modelId: string] {
  const end = id.indexOf('/');
  if (end < 0) throw noEntry(id);
  const of = id.slice(0, end);
  return [of === OF_TENANT ? '' : of, id.slice(end + 1)];
}

/** @throws AdministrationError not-found */
async function lineageOf(change: Change, tenantId: string, keyId: string): Promise<string> {
  const keys = change.selectFrom('apiKeys').select('lineageId').where('id', '=', keyId);
  const key = await keys.where('tenantId', '=', tenantId).executeTakeFirst();
  if (key === undefined) throw new AdministrationError('not-found', `there is no key '${keyId}'`, 'key');
  return key.lineageId ?? keyId;
}
