import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import {
  type AdminOptions,
  administer,
  administerList,
  print,
  shownTime,
  withAdminOptions,
} from '../client/admin-client.js';
import { wholeNumber } from '../terminal/number-options.js';
import { formatTable } from '../terminal/table.js';
import { bootstrap } from './bootstrap.js';

interface Key {
  readonly id: string;
  readonly account: string;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
  readonly last_used_at: number | null;
  /** Of a new one. */
  readonly key?: string;
}

const DAY_S = 86_400;
const OLD_IDS = `
Ids of old keys may begin with -; put -- before them: hydra keys revoke -- acme -J9zabcdefgh`;
const SHOWN_ONCE = `
The key goes to standard output, once; nobody can show it again.`;

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
  withAdminOptions(keys.command('list').description('keys of a tenant')).argument('<tenant>').action(list);
  withAdminOptions(keys.command('create').description('make a key for a service account'))
    .argument('<tenant>')
    .argument('<account>')
    .option('--scope <scope...>', 'inference, usage, metrics, admin; default: inference and usage')
    .option('--days <n>', 'days until it expires; default: never', wholeNumber)
    .addHelpText('after', SHOWN_ONCE)
    .action(create);
  withAdminOptions(keys.command('rotate').description('make a key in the place of another one'))
    .argument('<tenant>')
    .argument('<id>', 'the 12 characters after hydra_')
    .option('--overlap-hours <n>', 'how long the old one stays good', hours, 24)
    .addHelpText('after', `${SHOWN_ONCE}${OLD_IDS}`)
    .action(rotate);
  withAdminOptions(keys.command('revoke').description('end a key at once'))
    .argument('<tenant>')
    .argument('<id>', 'the 12 characters after hydra_')
    .addHelpText('after', OLD_IDS)
    .action((tenant: string, id: string, options: AdminOptions) =>
      administer(options, 'DELETE', ['tenants', tenant, 'keys', id]),
    );
}

async function list(tenant: string, options: AdminOptions): Promise<void> {
  print(options, await administerList<Key>(options, ['tenants', tenant, 'keys']), ({ data }) =>
    formatTable(['key', 'account', 'roles', 'scopes', 'since', 'expires', 'ends', 'last used'], data.map(row)),
  );
}

async function create(
  tenant: string,
  account: string,
  options: AdminOptions & { readonly scope?: string[]; readonly days?: number },
): Promise<void> {
  const { scope: scopes, days } = options;
  const expires_at = days === undefined ? undefined : Math.floor(Date.now() / 1_000) + days * DAY_S;
  const made = await administer<Key>(options, 'POST', ['tenants', tenant, 'keys'], { account, scopes, expires_at });
  show(options, made);
}

async function rotate(
  tenant: string,
  id: string,
  options: AdminOptions & { readonly overlapHours: number },
): Promise<void> {
  const body = { overlap_s: options.overlapHours * 3_600 };
  show(options, await administer<Key>(options, 'POST', ['tenants', tenant, 'keys', id, 'rotate'], body));
}

function show(options: AdminOptions, made: Key): void {
  if (!options.json) process.stderr.write(`key ${made.id} of ${made.account}; it is shown only now:\n`);
  print(options, made, ({ key }) => String(key)); // a new one has it
}

function row({ id, account, roles, scopes, ...times }: Key): string[] {
  const { created_at, expires_at, revoked_at, last_used_at } = times;
  const words = [id, account, roles.join(','), scopes.join(',')];
  return [...words, ...[created_at, expires_at, revoked_at, last_used_at].map(shownTime)];
}

function hours(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < 0) {
    throw new InvalidArgumentError('Expected a whole number of hours.');
  }
  return value;
}
