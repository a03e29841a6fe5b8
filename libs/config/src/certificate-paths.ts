import { absolutePath } from './absolute-path.js';
import type { HydraConfig } from './schema.js';

const FILES = ['caFile', 'certificateFile', 'keyFile'] as const;

/** What is wrong with the files of certificates, as sentences. */
export function certificateProblems({ certificates, gateway, auth }: HydraConfig): string[] {
  const problems: string[] = [];
  const missing = FILES.filter((file) => certificates[file] === undefined);
  if (missing.length > 0 && missing.length < FILES.length) {
    problems.push(`certificates: expected all of ${FILES.join(', ')} or none, got no ${missing.join(', ')}`);
  }
  const { certificateFile, keyFile, clientCaFile } = gateway.tls;
  if ((certificateFile === undefined) !== (keyFile === undefined)) {
    problems.push('gateway.tls: expected both certificateFile and keyFile, or neither');
  }
  if (clientCaFile !== undefined && certificateFile === undefined) {
    problems.push('gateway.tls.clientCaFile: expected certificateFile and keyFile, too');
  }
  if (auth.clientCertificates.length > 0 && clientCaFile === undefined) {
    problems.push('auth.clientCertificates: expected gateway.tls.clientCaFile, too: nobody could show one');
  }
  return problems;
}

/** The folder below that of `storage`; files where they are meant. */
export function withAbsoluteCertificates(config: HydraConfig, base: string): HydraConfig {
  const { storage, certificates, gateway } = config;
  const folder = absolutePath(storage.folder, certificates.folder);
  return {
    ...config,
    certificates: { ...withAbsoluteFiles(certificates, base), folder },
    gateway: { ...gateway, tls: withAbsoluteFiles(gateway.tls, base) },
  };
}

function withAbsoluteFiles<Section extends object>(section: Section, base: string): Section {
  const entries = Object.entries(section).map(([key, value]) => [
    key,
    key.endsWith('File') && typeof value === 'string' ? absolutePath(base, value) : value,
  ]);
  return Object.fromEntries(entries) as Section; // the same keys with values of the same types
}
