import { type Command, Option } from 'commander';
import { type AdminOptions, administer, administerList, print, withAdminOptions } from '../client/admin-client.js';
import { wholeNumber } from '../terminal/number-options.js';
import { formatTable } from '../terminal/table.js';

/** Limits as the command line knows them: the API's name, the table's head, the option and its help. */
const LIMITS = [
  {
    name: 'requests_per_minute',
    head: 'requests/min',
    option: '--requests-per-minute <n>',
    help: 'in any 60 s; default: as many as it likes, as for the rest',
  },
  { name: 'tokens_per_minute', head: 'tokens/min', option: '--tokens-per-minute <n>', help: 'of prompts and answers' },
  { name: 'concurrent_requests', head: 'at once', option: '--concurrent-requests <n>', help: 'at once' },
  {
    name: 'tokens_per_day',
    head: 'tokens/day',
    option: '--tokens-per-day <n>',
    help: 'of prompts and answers, by UTC',
  },
  {
    name: 'tokens_per_month',
    head: 'tokens/month',
    option: '--tokens-per-month <n>',
    help: 'of prompts and answers, by UTC',
  },
  {
    name: 'cost_micros_per_day',
    head: 'cost/day',
    option: '--cost-micros-per-day <n>',
    help: 'in millionths of the currency unit of the prices',
  },
  {
    name: 'cost_micros_per_month',
    head: 'cost/month',
    option: '--cost-micros-per-month <n>',
    help: 'in millionths of the currency unit of the prices',
  },
] as const;

type LimitValues = Readonly<Partial<Record<(typeof LIMITS)[number]['name'], number>>>;
type Limits = LimitValues & { readonly key: string | null; readonly model: string | null };
type LimitOptions = AdminOptions & { readonly key?: string; readonly model?: string } & Readonly<
    Record<string, unknown>
  >;

export function addLimits(tenants: Command): void {
  withAdminOptions(tenants.command('limits').description('limits, quotas and budgets of a tenant, its keys and models'))
    .argument('<tenant>')
    .action(list);
  const set = withAdminOptions(
    tenants.command('limit').description('set limits in the place of all that were, none without options'),
  )
    .argument('<tenant>')
    .option('--key <id>', 'of this key; default: of the tenant as a whole')
    .option('--model <id>', 'with this model; default: of all together');
  for (const { option, help } of LIMITS) set.option(option, help, wholeNumber);
  set.action(setLimits);
}

async function list(tenant: string, options: AdminOptions): Promise<void> {
  print(options, await administerList<Limits>(options, ['tenants', tenant, 'limits']), ({ data }) =>
    formatTable(
      ['of', 'model', ...LIMITS.map(({ head }) => head)],
      data.map((one) => [
        one.key ?? 'the tenant',
        one.model ?? 'all',
        ...LIMITS.map(({ name }) => String(one[name] ?? '–')),
      ]),
    ),
  );
}

async function setLimits(tenant: string, options: LimitOptions): Promise<void> {
  const { key, model } = options;
  const limits = LIMITS.map(({ name, option }) => [name, options[new Option(option).attributeName()]]);
  const body = { key, model, ...Object.fromEntries(limits) };
  const made = await administer<Limits>(options, 'PUT', ['tenants', tenant, 'limits'], body);
  print(options, made, () => whatCounts(made, tenant));
}

/** All that is limited from now on: what an earlier call gave, and this one did not, counts no longer. */
function whatCounts(made: Limits, tenant: string): string {
  const of = `${made.key ?? tenant}${made.model === null ? '' : ` with ${made.model}`}`;
  const set = LIMITS.filter(({ name }) => made[name] !== undefined).map(({ name, head }) => `${made[name]} ${head}`);
  return set.length === 0 ? `${of} has no limits any more` : `limits of ${of}: ${set.join(', ')}, and no others`;
}
