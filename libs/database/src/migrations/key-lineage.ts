import { type Kysely, sql } from 'kysely';

/** Keys that came of each other by rotation share the id of the first: limits are theirs together. */
export async function createKeyLineage(database: Kysely<unknown>): Promise<void> {
  await database.schema.alterTable('api_keys').addColumn('lineage_id', 'text').execute();
  await sql`update api_keys set lineage_id = id`.execute(database);
  await database.schema.createIndex('api_keys_lineage').on('api_keys').column('lineage_id').execute();
}
