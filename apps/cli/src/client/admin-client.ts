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

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

interface Page<T> {
  readonly data: readonly T[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
}

/** The most entries that the gateway answers at once. */
const PAGE = 1_000;

/** Asks the gateway's administration; segments of the path are encoded. @returns `undefined` for an answer without a body */
export async function administer<T>(
  { url }: AdminOptions,
  method: Method,
  path: readonly string[],
  body?: object,
): Promise<T> {
  const content = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await ask(addressOf(url, path), { method, ...content });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

function addressOf(url: string | undefined, path: readonly string[]): string {
  return `${gatewayUrl(url)}/v1/admin/${path.map(encodeURIComponent).join('/')}`;
}

/** A list of the gateway's administration, read page by page and put together as one. */
export async function administerList<T>({ url }: AdminOptions, path: readonly string[]): Promise<Page<T>> {
  const pages: Page<T>[] = [];
  for (let after: string | undefined; ; ) {
    const query = new URLSearchParams({ limit: String(PAGE), ...(after !== undefined && { after }) });
    const page = (await (await ask(`${addressOf(url, path)}?${query}`, { method: 'GET' })).json()) as Page<T>;
    pages.push(page);
    if (!page.has_more || page.last_id === null)
      return { ...page, data: pages.flatMap(({ data }) => data), first_id: pages[0]?.first_id ?? null };
    after = page.last_id;
  }
}

/** Prints what came: as it is, or as `show` puts it. */
export function print<T>({ json }: AdminOptions, answer: T, show: (answer: T) => string): void {
  process.stdout.write(`${json ? JSON.stringify(answer, null, 2) : show(answer)}\n`);
}

/** Seconds since the Unix epoch as a date for people. */
export function shownTime(seconds: number | null): string {
  return seconds === null ? '–' : new Date(seconds * 1_000).toISOString().replace(/:\d\d\.000Z$/, 'Z');
}
