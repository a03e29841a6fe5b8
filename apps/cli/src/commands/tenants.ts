import type { Command } from 'commander';
import {
  type AdminOptions,
  administer,
  administerList,
  print,
  shownTime,
  withAdminOptions,
} from '../client/admin-client.js';
import { formatTable } from '../terminal/table.js';
import { addLimits } from './limits.js';

interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly created_at: number;
}

interface Account {
  readonly name: string;
  readonly roles: readonly string[];
  readonly created_at: number;
}

export function addTenants(program: Command): void {
  const tenants = program.command('tenants').description('tenants and their service accounts');
  withAdminOptions(tenants.command('list').description('all tenants')).action(list);
  withAdminOptions(tenants.command('create').description('make a tenant'))
    .argument('<id>', 'a-z, 0-9 and -; stays as it is')
    .option('--name <name>', 'for people; default: the id')
    .action(create);
  for (const [verb, state] of [
    ['suspend', 'suspended'],
    ['activate', 'active'],
  ] as const) {
    const description = verb === 'suspend' ? 'let nobody of a tenant in' : 'let a tenant in again';
    withAdminOptions(tenants.command(verb).description(description))
      .argument('<id>')
      .action((id: string, options: AdminOptions) => administer(options, 'PATCH', ['tenants', id], { state }));
  }
  addLimits(tenants);
  withAdminOptions(tenants.command('accounts').description('service accounts of a tenant'))
    .argument('<tenant>')
    .action(accounts);
  withAdminOptions(tenants.command('add-account').description('make a service account'))
    .argument('<tenant>')
    .argument('<name>')
    .option('--role <role...>', 'operator, admin, user, or one that a policy names', ['user'])
    .action(addAccount);
  withAdminOptions(tenants.command('set-roles').description('give a service account other roles'))
    .argument('<tenant>')
    .argument('<name>')
    .argument('[roles...]', 'none: it may do nothing')
    .action((tenant: string, name: string, roles: string[], options: AdminOptions) =>
      administer(options, 'PATCH', ['tenants', tenant, 'accounts', name], { roles }),
    );
}

async function list(options: AdminOptions): Promise<void> {
  print(options, await administerList<Tenant>(options, ['tenants']), ({ data }) =>
    formatTable(
      ['tenant', 'name', 'state', 'since'],
      data.map(({ id, name, state, created_at }) => [id, name, state, shownTime(created_at)]),
    ),
  );
}

async function create(id: string, options: AdminOptions & { readonly name?: string }): Promise<void> {
  const tenant = await administer<Tenant>(options, 'POST', ['tenants'], { id, name: options.name ?? id });
  print(options, tenant, () => `made the tenant ${tenant.id}; next: hydra tenants add-account ${tenant.id} NAME`);
}

async function accounts(tenant: string, options: AdminOptions): Promise<void> {
  print(options, await administerList<Account>(options, ['tenants', tenant, 'accounts']), ({ data }) =>
    formatTable(
      ['account', 'roles', 'since'],
      data.map(({ name, roles, created_at }) => [name, roles.join(','), shownTime(created_at)]),
    ),
  );
}

async function addAccount(
  tenant: string,
  name: string,
  options: AdminOptions & { readonly role: string[] },
): Promise<void> {
  const body = { name, roles: options.role };
  const account = await administer<Account>(options, 'POST', ['tenants', tenant, 'accounts'], body);
  print(options, account, () => `made the service account ${name}; next: hydra keys create ${tenant} ${name}`);
}
