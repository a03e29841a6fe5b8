import { type Command, Option } from 'commander';
import { type AdminOptions, print } from '../client/admin-client.js';
import { gatewayUrl } from '../client/gateway-url.js';
import { ask } from '../client/openai-stream.js';
import { formatTable } from '../terminal/table.js';

interface Usage {
  readonly tenant?: string;
  readonly key?: string;
  readonly model?: string;
  readonly day?: string;
  readonly requests: number;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly completion_tokens: number;
  readonly cost_micros: number;
}

interface UsageOptions extends AdminOptions {
  readonly tenant?: string;
  readonly key?: string;
  readonly model?: string;
  readonly from?: string;
  readonly to?: string;
  readonly by: string;
  readonly limit: string;
  readonly csv?: boolean;
}

const MICROS_PER_UNIT = 1_000_000;

export function addUsage(program: Command): void {
  program
    .command('usage')
    .description('tokens and costs by tenant, key, model and day')
    .option('--tenant <id>', 'only of this tenant; default: of all for operators, else the own one')
    .option('--key <id>', 'only of this key')
    .option('--model <id>', 'only of this model')
    .option('--from <day>', 'like 2026-11-01, by UTC; default: the first of the month')
    .option('--to <day>', 'like 2026-11-30, by UTC; default: today')
    .option('--by <what>', 'some of tenant, key, model, day, apart by commas', 'tenant,model')
    .option('--limit <n>', 'most lines', '1000')
    .addOption(new Option('--csv', 'as CSV').conflicts('json'))
    .option('--url <url>', 'gateway; default: the platform that runs on this machine')
    .option('--json', 'print the answer as it came')
    .addHelpText('after', '\nNeeds a key with the scope usage in HYDRA_API_KEY.')
    .action(usage);
}

async function usage(options: UsageOptions): Promise<void> {
  const { tenant, key, model, from, to, by, limit, csv } = options;
  const asked = Object.entries({ tenant, key, model, from, to, by, limit, format: csv ? 'csv' : 'json' });
  const query = new URLSearchParams(asked.filter((entry): entry is [string, string] => entry[1] !== undefined));
  const response = await ask(`${gatewayUrl(options.url)}/v1/usage?${query}`, { method: 'GET' });
  if (csv) {
    process.stdout.write(await response.text());
    return;
  }
  const dimensions = by.split(',') as ('tenant' | 'key' | 'model' | 'day')[];
  print(options, (await response.json()) as { data: Usage[]; has_more: boolean }, ({ data, has_more }) => {
    const table = formatTable(
      [...dimensions, 'requests', 'prompt', 'cached', 'answer', 'cost'],
      data.map((one) => [
        ...dimensions.map((dimension) => one[dimension] || '–'),
        ...[one.requests, one.prompt_tokens, one.cached_tokens, one.completion_tokens],
        (one.cost_micros / MICROS_PER_UNIT).toFixed(6),
      ]),
    );
    return has_more ? `${table}\n… and more; see --limit` : table;
  });
}
