import { IdentityStore } from '#lib/auth';
import { openDatabase } from '#lib/database';

const ACTOR = { name: 'test', address: '' };

/**
 * Makes a tenant with a service account that may use all models.
 * @returns a key of it
 */
export async function tenantKey(databaseUrl: string, tenantId: string): Promise<string> {
  const database = await openDatabase(databaseUrl);
  try {
    const { tenants, keys } = new IdentityStore(database);
    await tenants.create({ id: tenantId, name: tenantId }, ACTOR);
    await tenants.createAccount({ tenantId, name: 'bot', roles: ['user'] }, ACTOR);
    const wish = { tenantId, accountName: 'bot', scopes: ['inference'] as const, expiresAtMs: undefined };
    return (await keys.create(wish, ACTOR)).text;
  } finally {
    await database.destroy();
  }
}
