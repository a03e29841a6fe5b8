import { type Command, InvalidArgumentError } from 'commander';
import { type AdminOptions, administer, administerList, print, withAdminOptions } from '../client/admin-client.js';
import { wholeNumber } from '../terminal/number-options.js';
import { formatTable } from '../terminal/table.js';

interface Policy {
  readonly id: string;
  readonly tenant: string | null;
  readonly role: string;
  readonly actions: readonly string[];
  readonly models: readonly string[];
  readonly caps: Readonly<Record<string, number>>;
}

interface CreateOptions extends AdminOptions {
  readonly tenant?: string;
  readonly action: string[];
  readonly contextTokens?: number;
  readonly maxTokens?: number;
  readonly choices?: number;
  readonly priority?: number;
}

export function addPolicies(program: Command): void {
  const policies = program.command('policies').description('which roles may do what with which models');
  withAdminOptions(policies.command('list').description('what holds in a tenant')).argument('<tenant>').action(list);
  withAdminOptions(policies.command('create').description('say what a role may do'))
    .argument('<role>')
    .argument('<models...>', 'patterns of model ids; * stands for any characters')
    .option('--tenant <tenant>', 'only in this one; default: in every tenant')
    .option('--action <action...>', 'use, deploy, administer', ['use'])
    .option('--context-tokens <n>', 'most tokens of prompt and output together', wholeNumber)
    .option('--max-tokens <n>', 'most max_tokens', wholeNumber)
    .option('--choices <n>', 'most n', wholeNumber)
    .option('--priority <n>', 'highest priority, -10 to 10', priority)
    .action(create);
  withAdminOptions(policies.command('delete').description('take a policy back'))
    .argument('<id>')
    .option('--tenant <tenant>', 'the one it is of; default: a policy of every tenant')
    .action(remove);
}

async function list(tenant: string, options: AdminOptions): Promise<void> {
  print(options, await administerList<Policy>(options, ['tenants', tenant, 'policies']), ({ data }) =>
    formatTable(['policy', 'tenant', 'role', 'may', 'caps', 'models'], data.map(row)),
  );
}

async function create(role: string, models: string[], options: CreateOptions): Promise<void> {
  const { tenant, action: actions, contextTokens: context_tokens, maxTokens: max_tokens, choices, priority } = options;
  const body = { role, models, actions, caps: { context_tokens, max_tokens, choices, priority } };
  const policy = await administer<Policy>(options, 'POST', pathOf(tenant), body);
  print(options, policy, ({ id }) => `made the policy ${id}`);
}

async function remove(id: string, options: AdminOptions & { readonly tenant?: string }): Promise<void> {
  await administer(options, 'DELETE', [...pathOf(options.tenant), id]);
}

function pathOf(tenant: string | undefined): string[] {
  return tenant === undefined ? ['policies'] : ['tenants', tenant, 'policies'];
}

function row({ id, tenant, role, actions, models, caps }: Policy): string[] {
  const shownCaps = Object.entries(caps).map(([name, value]) => `${name} ${value}`);
  return [id, tenant ?? 'every', role, actions.join(','), shownCaps.join(', ') || '–', models.join(' ')];
}

function priority(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || Math.abs(value) > 10) throw new InvalidArgumentError('Expected -10 to 10.');
  return value;
}
