import { AdministrationError } from './errors.js';
import { type Actor, assertTenant, type IdentityChanges, newId } from './identity-changes.js';
import { type ListPart, noEntry } from './list-part.js';
import type { Caps, ModelAction, Policy } from './policy.js';
import { parseList, parseRecord } from './stored-json.js';

/** Stored policies: which roles may do what with which models. */
export class PolicyStore {
  constructor(private readonly changes: IdentityChanges) {}

  /** @throws AdministrationError not-found without its tenant */
  create(policy: Omit<Policy, 'id'>, actor: Actor): Promise<Policy> {
    const { tenantId, role, actions, models, caps } = policy;
    const id = newId();
    const act = { tenantId, action: 'policy-create', target: id, details: { role, actions, models, caps } };
    return this.changes.change(actor, act, async (change) => {
      if (tenantId !== undefined) await assertTenant(change, tenantId);
      await change
        .insertInto('policies')
        .values({
          ...{ id, tenantId: tenantId ?? null, role, createdAtMs: this.changes.now() },
          actionsJson: JSON.stringify(actions),
          modelsJson: JSON.stringify(models),
          capsJson: JSON.stringify(caps),
        })
        .execute();
      return { ...policy, id };
    });
  }

  /** @param tenantId  absent for a policy of every tenant @throws AdministrationError not-found */
  delete(tenantId: string | undefined, id: string, actor: Actor): Promise<void> {
    return this.changes.change(actor, { tenantId, action: 'policy-delete', target: id }, async (change) => {
      const { numDeletedRows } = await change
        .deleteFrom('policies')
        .where('id', '=', id)
        .where('tenantId', tenantId === undefined ? 'is' : '=', tenantId ?? null)
        .executeTakeFirst();
      if (numDeletedRows === 0n) throw new AdministrationError('not-found', `there is no policy '${id}'`, 'id');
    });
  }

  /**
   * Those of the tenant and those of every tenant, in the order in which they were made.
   * @throws AdministrationError not-found when the policy is not there after which to begin
   */
  async list(tenantId: string, { limit, after }: ListPart = {}): Promise<Policy[]> {
    const ofTenant = this.changes.database
      .selectFrom('policies')
      .selectAll()
      .where((where) => where.or([where('tenantId', 'is', null), where('tenantId', '=', tenantId)]));
    let query = ofTenant;
    if (after !== undefined) {
      const last = await ofTenant.where('id', '=', after).executeTakeFirst();
      if (last === undefined) throw noEntry(after);
      query = query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('createdAtMs', 'id'), '>', tuple(last.createdAtMs, last.id)),
      );
    }
    if (limit !== undefined) query = query.limit(limit);
    const rows = await query.orderBy('createdAtMs').orderBy('id').execute();
    return rows.map(({ id, role, actionsJson, modelsJson, capsJson, ...row }) => ({
      ...{ id, role, tenantId: row.tenantId ?? undefined },
      actions: parseList<ModelAction>(actionsJson),
      models: parseList(modelsJson),
      caps: parseRecord<Caps>(capsJson),
    }));
  }
}
