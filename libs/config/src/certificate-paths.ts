import { absolutePath } from './absolute-path.js';
import type { HydraConfig } from './schema.js';

const FILES = ['caFile', 'certificateFile', 'keyFile'] as const;

/** What is wrong with the files of certificates, as sentences. */
export function certificateProblems({ certificates }: HydraConfig): string[] {
  const missing = FILES.filter((file) => certificates[file] === undefined);
  if (missing.length === 0 || missing.length === FILES.length) return [];
  return [`certificates: expected all of ${FILES.join(', ')} or none, got no ${missing.join(', ')}`];
}

/** The folder below that of `storage`; files where they are meant. */
export function withAbsoluteCertificates(config: HydraConfig, base: string): HydraConfig {
  const { storage, certificates } = config;
  const files = FILES.flatMap((file) => {
    const path = certificates[file];
    return path === undefined ? [] : [[file, absolutePath(base, path)] as const];
  });
  const folder = absolutePath(storage.folder, certificates.folder);
  return { ...config, certificates: { ...certificates, folder, ...Object.fromEntries(files) } };
}
