import type { Kysely } from 'kysely';

/** What was used: one row for each answer, never changed. No references: what was used outlives who used it. */
export async function createUsage({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('usage_entries')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('tenant_id', 'text', (column) => column.notNull())
    .addColumn('key_id', 'text', (column) => column.notNull())
    .addColumn('model_id', 'text', (column) => column.notNull())
    .addColumn('request_id', 'text', (column) => column.notNull())
    .addColumn('prompt_tokens', 'bigint', (column) => column.notNull())
    .addColumn('cached_tokens', 'bigint', (column) => column.notNull())
    .addColumn('completion_tokens', 'bigint', (column) => column.notNull())
    .addColumn('cost_nanos', 'bigint', (column) => column.notNull())
    .addColumn('outcome', 'text', (column) => column.notNull())
    .addColumn('day', 'integer', (column) => column.notNull())
    .addColumn('at_ms', 'bigint', (column) => column.notNull())
    .execute();
  await schema.createIndex('usage_entries_tenant').on('usage_entries').columns(['tenant_id', 'day']).execute();
  await schema.createIndex('usage_entries_day').on('usage_entries').column('day').execute();
}
