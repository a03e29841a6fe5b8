import type { Command } from 'commander';
import { type AdminOptions, administer, print, withAdminOptions } from '../client/admin-client.js';
import { wholeNumber } from '../terminal/number-options.js';
import { formatTable } from '../terminal/table.js';

interface Options extends AdminOptions {
  readonly app?: string;
  readonly for?: number;
}

interface Change {
  readonly app: string;
  readonly level: string;
  readonly before: string;
}

export function addLogLevel(program: Command): void {
  withAdminOptions(program.command('log-level').description('change what running apps log'))
    .argument('<level>', 'trace, debug, info, warn, error or silent')
    .option('--app <app>', 'gateway, scheduler, kvcache, or the id of a worker; default: all')
    .option('--for <seconds>', 'then it is as before; default: until the app is restarted', wholeNumber)
    .action(set);
}

async function set(level: string, options: Options): Promise<void> {
  const body = { level, app: options.app, for_seconds: options.for };
  const answer = await administer<{ data: Change[]; unreachable: string[] }>(options, 'PUT', ['log-level'], body);
  print(options, answer, ({ data, unreachable }) =>
    [
      formatTable(
        ['app', 'logs now', 'before'],
        data.map((change) => [change.app, change.level, change.before]),
      ),
      ...unreachable.map((target) => `no answer from ${target}: nothing changed there`),
    ].join('\n'),
  );
}
