import { setTimeout } from 'node:timers/promises';
import type { Command } from 'commander';
import { ChannelSecurity, clientChannelOptions, openChannelSecurity } from '#lib/channels';
import { loadConfig } from '#lib/config';
import { FleetClient, type FleetMember, type FleetSnapshot } from '#lib/contracts';
import { createLogger } from '#lib/observability';
import { readRunState } from '../platform/run-state.js';
import { formatBytes } from '../terminal/progress-bar.js';
import { untilInterrupted } from '../terminal/shutdown.js';
import { formatTable } from '../terminal/table.js';

interface StatusOptions {
  readonly scheduler?: string;
  readonly once: boolean;
}

const RETRY_MS = 500;
const HEALTH_TIMEOUT_MS = 1_000;
const CLEAR = '\x1b[2J\x1b[H';

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('a live table of the workers: models, load, KV memory, tokens per second')
    .option('--scheduler <target>', 'gRPC target of a scheduler; default: the platform that runs on this machine')
    .option('--once', 'print one table and end', false)
    .addHelpText(
      'after',
      `
Columns: running and waiting are generations in the worker, leases what the scheduler has placed there; busy is the first
device's utilization (the CPU where there is no GPU). Ctrl-C ends the table.`,
    )
    .action(status);
}

async function status({ scheduler, once }: StatusOptions): Promise<void> {
  const config = loadConfig();
  const target = scheduler ?? readRunState(config.storage.folder)?.schedulerTarget ?? config.scheduler.target;
  const security = openChannelSecurity(config, 'client', createLogger('status', config.log));
  const interrupted = untilInterrupted();
  let hasShown = false;
  while (!interrupted.aborted) {
    try {
      for await (const snapshot of snapshots(target, security, interrupted)) {
        hasShown = true;
        show(`${render(snapshot)}${await kvcacheLines(config.storage.folder)}`, once);
        if (once) return;
      }
    } catch (error) {
      if (interrupted.aborted) return;
      if (!hasShown)
        throw new Error(`no scheduler answers at ${target}; start a platform with: hydra up`, { cause: error });
    }
    // A scheduler that was there comes back: `hydra up` restarts it.
    show(`no scheduler answers at ${target}; trying again`, once);
    await setTimeout(RETRY_MS, undefined, { signal: interrupted }).catch(() => {});
  }
}

/** The fleet after each change, until the stream breaks or `signal` aborts. */
async function* snapshots(
  target: string,
  security: ChannelSecurity,
  signal: AbortSignal,
): AsyncGenerator<FleetSnapshot> {
  const client = new FleetClient(target, security.credentialsFor('scheduler'), clientChannelOptions());
  const stream = client.watch({ watcherId: `status-${process.pid}` });
  stream.on('error', () => {}); // after a cancel nobody iterates any more
  const cancel = () => stream.cancel();
  signal.addEventListener('abort', cancel);
  try {
    yield* stream as AsyncIterable<FleetSnapshot>;
  } finally {
    signal.removeEventListener('abort', cancel);
    stream.cancel();
    client.close();
  }
}

/** What the caches of KV blocks say that this machine's platform started; empty without any. */
async function kvcacheLines(storageFolder: string): Promise<string> {
  const kvcaches = readRunState(storageFolder)?.kvcaches ?? [];
  const lines = await Promise.all(kvcaches.map(async ({ name, url }) => `\n${name}: ${await healthOf(url)}`));
  return lines.join('');
}

async function healthOf(url: string): Promise<string> {
  try {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) });
    const { details } = (await response.json()) as { details: { ready: { detail: string } } };
    return details.ready.detail;
  } catch {
    return 'does not answer';
  }
}

function show(text: string, once: boolean): void {
  process.stdout.write(`${once || !process.stdout.isTTY ? '' : CLEAR}${text}\n`);
}

function render({ members, schedulerId, waitingGenerations }: FleetSnapshot): string {
  const head = [
    'worker',
    'engine',
    'model',
    'weights',
    'numerics',
    'running',
    'waiting',
    'leases',
    'KV used',
    'KV total',
    'tokens/s',
    'busy',
    'state',
  ];
  const rows = [...members].sort((a, b) => idOf(a).localeCompare(idOf(b))).map(row);
  return `${formatTable(head, rows)}\n\nscheduler ${schedulerId}: ${members.length} workers, ${waitingGenerations} requests waiting`;
}

function idOf(member: FleetMember): string {
  return member.registration?.workerId ?? '';
}

function row({ registration, report, leases }: FleetMember): (string | number)[] {
  const busy = report?.devices[0]?.utilization;
  return [
    registration?.workerId ?? '',
    registration?.engine ?? '',
    registration?.models.map((model) => model.modelId).join(',') ?? '',
    registration?.models[0]?.weights ?? '',
    registration?.models[0]?.numerics ?? '',
    report?.runningGenerations ?? 0,
    report?.waitingGenerations ?? 0,
    leases,
    formatBytes(report?.kvUsedBytes ?? 0),
    formatBytes(report?.kvTotalBytes ?? 0),
    (report?.tokensPerSecond ?? 0).toFixed(1),
    busy === undefined ? '–' : `${Math.round(busy * 100)} %`,
    report?.draining ? 'draining' : 'ready',
  ];
}
