import { userInfo } from 'node:os';
import { AdministrationError, BUILT_IN_ROLES, IdentityStore, SCOPES } from '#lib/auth';
import { loadConfig } from '#lib/config';
import { openDatabase } from '#lib/database';

/** Where the first operator lives. */
const TENANT = 'default';
const ACCOUNT = 'operator';

/** Makes a key that may do everything, in the database itself: whoever may write it is an operator. */
export async function bootstrap(): Promise<void> {
  const { database: config } = loadConfig();
  const database = await openDatabase(config.url, config.connections);
  try {
    const { tenants, keys } = new IdentityStore(database);
    const actor = { name: `cli:${userInfo().username}`, address: '' };
    await unlessThere(tenants.create({ id: TENANT, name: TENANT }, actor));
    const roles = [BUILT_IN_ROLES.operator, BUILT_IN_ROLES.user];
    await unlessThere(tenants.createAccount({ tenantId: TENANT, name: ACCOUNT, roles }, actor));
    const wish = { tenantId: TENANT, accountName: ACCOUNT, scopes: SCOPES, expiresAtMs: undefined };
    const { key, text } = await keys.create(wish, actor);
    process.stderr.write(`key ${key.id} of ${ACCOUNT} in the tenant ${TENANT}; it is shown only now:\n`);
    process.stdout.write(`${text}\n`);
  } finally {
    await database.destroy();
  }
}

async function unlessThere(creation: Promise<unknown>): Promise<void> {
  await creation.catch((error: unknown) => {
    if (!(error instanceof AdministrationError && error.reason === 'conflict')) throw error;
  });
}
