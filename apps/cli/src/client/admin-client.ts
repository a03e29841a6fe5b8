import type { Command } from 'commander';
import { gatewayUrl } from './gateway-url.js';
import { ask } from './openai-stream.js';

/** What every command of administration takes. */
export interface AdminOptions {
  readonly url?: string;
  readonly json?: boolean;
}

export const ADMIN_HELP = `
Needs a key with the scope admin in HYDRA_API_KEY; the first one comes from: hydra keys bootstrap`;

/** Adds what `AdminOptions` has. */
export function withAdminOptions(command: Command): Command {
  return command
    .option('--url <url>', 'gateway; default: the platform that runs on this machine')
    .option('--json', 'print the answer as it came')
    .addHelpText('after', ADMIN_HELP);
}

/** Asks the gateway's administration; segments of the path are encoded. @returns `undefined` for an answer without a body */
export async function administer<T>(
  { url }: AdminOptions,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: readonly string[],
  body?: object,
): Promise<T> {
  const target = `${gatewayUrl(url)}/v1/admin/${path.map(encodeURIComponent).join('/')}`;
  const content = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await ask(target, { method, ...content });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Prints what came: as it is, or as `show` puts it. */
export function print<T>({ json }: AdminOptions, answer: T, show: (answer: T) => string): void {
  process.stdout.write(`${json ? JSON.stringify(answer, null, 2) : show(answer)}\n`);
}

/** Seconds since the Unix epoch as a date for people. */
export function shownTime(seconds: number | null): string {
  return seconds === null ? '–' : new Date(seconds * 1_000).toISOString().replace(/:\d\d\.000Z$/, 'Z');
}
