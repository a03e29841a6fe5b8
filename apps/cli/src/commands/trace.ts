import type { Command } from 'commander';
import { type AdminOptions, administer, print } from '../client/admin-client.js';
import { type Story, storyText } from '../terminal/story.js';

export function addTrace(program: Command): void {
  program
    .command('trace <id>')
    .description("one request's story: where it ran and why, what it waited for, how it ended")
    .option('--url <url>', 'gateway; default: the platform that runs on this machine')
    .option('--json', 'print the answer as it came')
    .addHelpText(
      'after',
      `
ID is that of a request (x-request-id), of a generation (the id of an answer) or of a trace (traceparent). The apps remember their
last requests only: tracing.recorderBytes. Where keys are needed, one with the scope inference in HYDRA_API_KEY: operators see all
requests, others those of their tenant.`,
    )
    .action(async (id: string, options: AdminOptions) =>
      print(options, await administer<Story>(options, 'GET', ['traces', id]), storyText),
    );
}
