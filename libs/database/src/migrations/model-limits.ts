import { type Kysely, sql } from 'kysely';

/** Limits of one model: the primary key grows, which SQLite can only do with a new table. */
export async function createModelLimits(database: Kysely<unknown>): Promise<void> {
  const { schema } = database;
  await schema.alterTable('limits').renameTo('limits_without_models').execute();
  await schema
    .createTable('limits')
    .addColumn('tenant_id', 'text', (column) => column.notNull().references('tenants.id'))
    .addColumn('key_id', 'text', (column) => column.notNull())
    .addColumn('model_id', 'text', (column) => column.notNull())
    .addColumn('limits_json', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('limits_of_models_key', ['tenant_id', 'key_id', 'model_id'])
    .execute();
  const copy = sql`insert into limits select tenant_id, key_id, '', limits_json from limits_without_models`;
  await copy.execute(database);
  await schema.dropTable('limits_without_models').execute();
}
