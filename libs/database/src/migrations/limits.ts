import type { Kysely } from 'kysely';

/** What tenants and keys may use. */
export async function createLimits({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('limits')
    .addColumn('tenant_id', 'text', (column) => column.notNull().references('tenants.id'))
    .addColumn('key_id', 'text', (column) => column.notNull())
    .addColumn('limits_json', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('limits_key', ['tenant_id', 'key_id'])
    .execute();
}
