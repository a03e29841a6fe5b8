import { isIP } from 'node:net';
import { type Command, InvalidArgumentError } from 'commander';
import {
  CertificateFolder,
  DEFAULT_NAME,
  type FolderEntry,
  isIdentityName,
  isServiceName,
  SERVICES,
  type ServiceName,
} from '#lib/certificates';
import { loadConfig } from '#lib/config';
import { wholeNumber } from '../terminal/number-options.js';
import { formatTable } from '../terminal/table.js';

const DAY_MS = 86_400_000;

export function addCerts(program: Command): void {
  const certs = program
    .command('certs')
    .description('an authority for development, and the certificates that it gives to services and clients')
    .addHelpText(
      'after',
      `
Certificates are in certificates.folder (HYDRA_CERTIFICATES); with tls: on, hydra up makes what is missing. Running services
take new files by themselves. A new authority, with nobody refused in between:
  hydra certs rotate        from now on the new one signs; the old one is still believed
  hydra certs renew --all   every identity from the new one, once services have looked at the files
  hydra certs retire        the old one is believed no longer`,
    );
  certs.command('init').description('make the authority and an identity for each service').action(init);
  certs
    .command('issue')
    .description('make an identity, or make it anew')
    .argument('<service>', SERVICES.join(', '), service)
    .argument('[name]', 'letters, digits, ".", "_", "-"', identityName, DEFAULT_NAME)
    .option('--days <n>', 'days until it ends; default: 90, or until the authority ends', wholeNumber)
    .option('--dns <name...>', 'names that it is good for beside its identity')
    .option('--ip <address...>', 'addresses that it is good for beside its identity', addresses)
    .action(issue);
  certs
    .command('renew')
    .description('renew the identities of which less than a third of their life is left')
    .option('--all', 'renew all', false)
    .action(renew);
  certs.command('rotate').description('make a new authority; the old one is still believed').action(rotate);
  certs.command('retire').description('believe the newest authority alone').action(retire);
  certs.command('show').description('what there is, and until when').action(show);
}

function openFolder(): CertificateFolder {
  const { folder, trustDomain } = loadConfig().certificates;
  return new CertificateFolder(folder, trustDomain);
}

async function init(): Promise<void> {
  const folder = openFolder();
  await folder.init();
  await folder.ensure(SERVICES);
  print(folder);
}

async function issue(
  service: ServiceName,
  name: string,
  { days, dns, ip }: { readonly days?: number; readonly dns?: string[]; readonly ip?: string[] },
): Promise<void> {
  const { certificateFile, keyFile } = await openFolder().issue(service, name, {
    days,
    dnsNames: dns,
    ipAddresses: ip,
  });
  process.stdout.write(`${certificateFile}\n${keyFile}\n`);
}

async function renew({ all }: { readonly all: boolean }): Promise<void> {
  const renewed = await openFolder().renew(all ? 'all' : 'due');
  for (const file of renewed) process.stdout.write(`${file}\n`);
  if (renewed.length === 0) process.stderr.write('nothing is due\n');
}

async function rotate(): Promise<void> {
  const folder = openFolder();
  await folder.rotateAuthority();
  print(folder);
}

function retire(): void {
  const folder = openFolder();
  folder.retireAuthorities();
  print(folder);
}

function show(): void {
  print(openFolder());
}

function print(folder: CertificateFolder): void {
  const rows = folder
    .list()
    .map((entry) => [entry.file, entry.uri ?? entry.subject, until(entry), state(entry, folder)]);
  process.stdout.write(`${formatTable(['file', 'for', 'until', ''], rows)}\n`);
}

function until({ notAfter }: FolderEntry): string {
  const days = Math.floor((notAfter.getTime() - Date.now()) / DAY_MS);
  return `${notAfter.toISOString().slice(0, 16)}Z (${days} days)`;
}

function state(entry: FolderEntry, folder: CertificateFolder): string {
  if (entry.notAfter.getTime() <= Date.now()) return 'expired';
  return folder.isDue(entry) ? 'due' : '';
}

function service(text: string): ServiceName {
  if (!isServiceName(text)) throw new InvalidArgumentError(`Expected one of ${SERVICES.join(', ')}.`);
  return text;
}

function identityName(text: string): string {
  if (!isIdentityName(text)) {
    throw new InvalidArgumentError('Expected at most 64 letters, digits, ".", "_" and "-".');
  }
  return text;
}

function addresses(text: string, before: readonly string[] = []): string[] {
  if (isIP(text) === 0) throw new InvalidArgumentError('Expected an IP address.');
  return [...before, text];
}
