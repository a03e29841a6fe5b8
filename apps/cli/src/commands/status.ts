import { credentials } from '@grpc/grpc-js';
import type { Command } from 'commander';
import { loadConfig } from '#lib/config';
import { FleetClient, type FleetMember, type FleetSnapshot } from '#lib/contracts';
import { readRunState } from '../platform/run-state.js';
import { formatBytes } from '../terminal/progress-bar.js';
import { untilInterrupted } from '../terminal/shutdown.js';
import { formatTable } from '../terminal/table.js';

interface StatusOptions {
  readonly scheduler?: string;
  readonly once: boolean;
}

const CLEAR = '\x1b[2J\x1b[H';

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('a live table of the workers: models, load, KV memory, tokens per second')
    .option('--scheduler <target>', 'gRPC target of a scheduler; default: the platform that runs on this machine')
    .option('--once', 'print one table and end', false)
    .action(status);
}

async function status({ scheduler, once }: StatusOptions): Promise<void> {
  const config = loadConfig();
  const target = scheduler ?? readRunState(config.storage.folder)?.schedulerTarget ?? config.scheduler.target;
  const client = new FleetClient(target, credentials.createInsecure());
  const stream = client.watch({ watcherId: `status-${process.pid}` });
  untilInterrupted().addEventListener('abort', () => stream.cancel());
  try {
    for await (const snapshot of stream as AsyncIterable<FleetSnapshot>) {
      process.stdout.write(`${once || !process.stdout.isTTY ? '' : CLEAR}${render(snapshot)}\n`);
      if (once) stream.cancel();
    }
  } catch (error) {
    const { code, details } = error as { code?: number; details?: string };
    if (code !== 1) throw new Error(`no scheduler answers at ${target}: ${details ?? (error as Error).message}`);
  } finally {
    client.close();
  }
}

function render({ members, schedulerId, waitingGenerations }: FleetSnapshot): string {
  const head = [
    'worker',
    'engine',
    'model',
    'weights',
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
