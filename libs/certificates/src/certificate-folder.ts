import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CertifiedKey } from './certificate-authority.js';
import { type DescribedCertificate, describeCertificates, splitCertificates } from './described-certificate.js';
import { identityUri, parseIdentityUri, type ServiceIdentity, type ServiceName } from './service-identity.js';

/** What stands in a folder of certificates. */
export interface FolderEntry extends DescribedCertificate {
  readonly file: string;
}

export interface IssueOptions {
  /** Whole ones; not beyond the end of the authority. Default: 90, or until the authority ends. */
  readonly days?: number | undefined;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

/** What cannot be done with the folder; the message is for people. */
export class CertificateFolderError extends Error {
  override readonly name = 'CertificateFolderError';
}

const AUTHORITY = 'ca';
/** Name of an identity that is given none, and of the files without one. */
export const DEFAULT_NAME = 'default';
const AUTHORITY_DAYS = 3_650;
/** Chosen: long enough that a machine which sleeps for weeks comes back, short enough that renewal is no rare event. */
const LEAF_DAYS = 90;
const DAY_MS = 86_400_000;
const NEXT_AUTHORITY = 'make another authority with: hydra certs rotate';
/** Clocks of other machines may be behind. */
const BACKDATED_MS = 5 * 60_000;
/** Renewed when less than this share of its life is left, as certbot and cert-manager do. */
const RENEW_AT_SHARE = 1 / 3;

/** Where a process finds its identity: in a folder of this form, or in files of its own. */
export interface IdentityFolder {
  readonly folder: string;
  readonly caFile?: string | undefined;
  readonly certificateFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** The files of a service. */
export function identityFiles({ folder, caFile, certificateFile, keyFile }: IdentityFolder, service: ServiceName) {
  if (certificateFile !== undefined && keyFile !== undefined) return { caFile, certificateFile, keyFile };
  return certificateFiles(folder, service);
}

/** Where the files of an identity are in a folder. */
export function certificateFiles(folder: string, service: ServiceName, name = DEFAULT_NAME) {
  const stem = join(folder, stemOf({ service, name }));
  return { caFile: join(folder, `${AUTHORITY}.crt`), certificateFile: `${stem}.crt`, keyFile: `${stem}.key` };
}

/**
 * A folder with an authority for development and the identities it has signed: `ca.crt`, `ca.key`, `gateway.crt`,
 * `gateway.key`, `client-alice.crt` … Keys can be read by their owner alone. `ca.crt` may hold several authorities: the first
 * signs, the others are still believed.
 */
export class CertificateFolder {
  constructor(
    private readonly folder: string,
    private readonly trustDomain: string,
    private readonly now: () => number = Date.now,
  ) {}

  get hasAuthority(): boolean {
    return existsSync(this.path(AUTHORITY, 'crt'));
  }

  /** Makes the authority. @throws CertificateFolderError when there is one */
  async init(): Promise<void> {
    if (this.hasAuthority) throw new CertificateFolderError(`${this.path(AUTHORITY, 'crt')} is there already`);
    this.write(AUTHORITY, await this.newAuthority());
  }

  /** Makes another authority that signs from now on; the old ones are believed until `retireAuthorities`. */
  async rotateAuthority(): Promise<void> {
    const { certificate: believed } = this.authority();
    const { certificate, key } = await this.newAuthority();
    this.write(AUTHORITY, { certificate: certificate + believed, key });
  }

  /** Ends the belief in old authorities. @throws CertificateFolderError while an identity here is signed by one */
  retireAuthorities(): void {
    const { certificate, key } = this.authority();
    const [newest] = describeCertificates(certificate);
    const left = this.identities().filter(({ issuer }) => issuer !== newest.subject);
    if (left.length > 0) {
      const files = left.map(({ file }) => file).join(', ');
      throw new CertificateFolderError(`signed by an older authority: ${files}; renew them first`);
    }
    this.write(AUTHORITY, { certificate: splitCertificates(certificate)[0] as string, key });
  }

  /**
   * Makes an identity, in the place of one of the same name.
   * @returns its files
   * @throws CertificateFolderError for days that the authority does not have, or that are none
   */
  async issue(service: ServiceName, name = DEFAULT_NAME, options: IssueOptions = {}) {
    const identity: ServiceIdentity = { trustDomain: this.trustDomain, service, name };
    const { days, dnsNames = [], ipAddresses = [] } = options;
    if (days !== undefined) this.assertDays(days);
    const lifeMs = (days ?? LEAF_DAYS) * DAY_MS;
    await this.sign(stemOf(identity), { uri: identityUri(identity), dnsNames, ipAddresses }, lifeMs);
    return certificateFiles(this.folder, service, name);
  }

  /** Makes what is missing of some services, with names for loopback, and renews what is due. @returns the files that are new */
  async ensure(services: readonly ServiceName[]): Promise<readonly string[]> {
    if (!this.hasAuthority) await this.init();
    const made: string[] = [];
    for (const service of services) {
      if (existsSync(this.path(service, 'crt'))) continue;
      const options = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '::1'] };
      made.push((await this.issue(service, DEFAULT_NAME, options)).certificateFile);
    }
    return [...made, ...(await this.renew('due'))];
  }

  /** Makes new keys and certificates with the same names and length of life. @returns the files that are new */
  async renew(which: 'due' | 'all'): Promise<readonly string[]> {
    const due = this.identities().filter((entry) => which === 'all' || this.isDue(entry));
    for (const { file, uri, dnsNames, ipAddresses, notBefore, notAfter } of due) {
      const identity = uri === undefined ? undefined : parseIdentityUri(uri);
      if (uri === undefined || identity?.trustDomain !== this.trustDomain) {
        throw new CertificateFolderError(`${file} is for ${uri ?? 'nobody'}, which is not in ${this.trustDomain}`);
      }
      const lifeMs = notAfter.getTime() - notBefore.getTime() - BACKDATED_MS;
      await this.sign(stemOf(identity), { uri, dnsNames, ipAddresses }, lifeMs);
    }
    return due.map(({ file }) => file);
  }

  isDue({ notBefore, notAfter }: FolderEntry): boolean {
    const lifeMs = notAfter.getTime() - notBefore.getTime();
    return notAfter.getTime() - this.now() < lifeMs * RENEW_AT_SHARE;
  }

  /** Authorities, then identities by file. */
  list(): readonly FolderEntry[] {
    const file = this.path(AUTHORITY, 'crt');
    const authorities = describeCertificates(this.authority().certificate).map((one) => ({ ...one, file }));
    return [...authorities, ...this.identities()];
  }

  private identities(): FolderEntry[] {
    return readdirSync(this.folder)
      .filter((file) => file.endsWith('.crt') && file !== `${AUTHORITY}.crt`)
      .sort()
      .map((name) => {
        const file = join(this.folder, name);
        return { file, ...describeCertificates(readFileSync(file, 'utf8'))[0] };
      });
  }

  private async sign(
    stem: string,
    names: Pick<DescribedCertificate, 'dnsNames' | 'ipAddresses'> & { readonly uri: string },
    lifeMs: number,
  ): Promise<void> {
    const { certificate, key } = this.authority();
    const [newest] = describeCertificates(certificate);
    const nowMs = this.now();
    const endMs = newest.notAfter.getTime();
    if (endMs <= nowMs) throw new CertificateFolderError(`the authority ended ${day(endMs)}; ${NEXT_AUTHORITY}`);
    const notAfter = new Date(Math.min(nowMs + lifeMs, endMs));
    const authority = { certificate: splitCertificates(certificate)[0] as string, key };
    const { issueCertificate } = await library();
    this.write(
      stem,
      await issueCertificate(authority, { ...names, notBefore: new Date(nowMs - BACKDATED_MS), notAfter }),
    );
  }

  /** Nobody gets less than he asked for without a word. */
  private assertDays(days: number): void {
    if (!Number.isSafeInteger(days) || days < 1) {
      throw new CertificateFolderError(`expected a whole number of days, at least 1, not ${days}`);
    }
    const endMs = describeCertificates(this.authority().certificate)[0].notAfter.getTime();
    const leftMs = endMs - this.now();
    const leftDays = Math.floor(leftMs / DAY_MS);
    if (days <= leftDays || leftMs <= 0) return; // of one that has ended, `sign` says so
    const most = leftDays === 0 ? 'less than a day is left' : `give at most ${leftDays}`;
    throw new CertificateFolderError(
      `${days} ${days === 1 ? 'day is' : 'days are'} beyond the end of the authority, ${day(endMs)}: ${most}, or ${NEXT_AUTHORITY}`,
    );
  }

  private async newAuthority(): Promise<CertifiedKey> {
    const { createAuthority } = await library();
    const nowMs = this.now();
    const notAfter = new Date(nowMs + AUTHORITY_DAYS * DAY_MS);
    return createAuthority(this.trustDomain, new Date(nowMs - BACKDATED_MS), notAfter);
  }

  private authority(): CertifiedKey {
    if (!this.hasAuthority) {
      throw new CertificateFolderError(`there is no authority in ${this.folder}; make one with: hydra certs init`);
    }
    return {
      certificate: readFileSync(this.path(AUTHORITY, 'crt'), 'utf8'),
      key: readFileSync(this.path(AUTHORITY, 'key'), 'utf8'),
    };
  }

  /** Readers find a whole file at any moment, if not always a pair. */
  private write(stem: string, { certificate, key }: CertifiedKey): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    for (const [kind, text, mode] of [
      ['key', key, 0o600],
      ['crt', certificate, 0o644],
    ] as const) {
      const unfinished = join(this.folder, `.${randomUUID()}`);
      writeFileSync(unfinished, text, { mode });
      renameSync(unfinished, this.path(stem, kind));
    }
  }

  private path(stem: string, kind: 'crt' | 'key'): string {
    return join(this.folder, `${stem}.${kind}`);
  }
}

/** By UTC. */
function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Loaded when something is signed: services only read, and their start need not wait for it. */
function library() {
  return import('./certificate-authority.js');
}

function stemOf({ service, name }: Pick<ServiceIdentity, 'service' | 'name'>): string {
  return name === DEFAULT_NAME ? service : `${service}-${name}`;
}
