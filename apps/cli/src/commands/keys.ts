import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { AdministrationError, BUILT_IN_ROLES, IdentityStore, SCOPES } from '#lib/auth';
import { loadConfig } from '#lib/config';
import { openDatabase } from '#lib/database';

/** Where the first operator lives. */
const TENANT = 'default';
const ACCOUNT = 'operator';

export function addKeys(program: Command): void {
  const keys = program.command('keys').description('keys that clients of the gateway send');
  keys
    .command('bootstrap')
    .description('make a key that may do everything; needs the database itself, not the gateway')
    .addHelpText(
      'after',
      `
The first key, and the way back in when all are lost: whoever may write the database (database.url) is an operator.
The key goes to standard output, once; nobody can show it again. For example:
  export HYDRA_API_KEY=$(hydra keys bootstrap)
  HYDRA_AUTH=required HYDRA_HOST=0.0.0.0 hydra up`,
    )
    .action(bootstrap);
}

async function bootstrap(): Promise<void> {
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
