import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { describeCertificates } from './described-certificate.js';

/** Files in PEM that a process shows and believes. */
export interface TlsFiles {
  /** Authorities that are believed; absent where nobody shows certificates. */
  readonly caFile?: string | undefined;
  /** With the chain, if there is one. */
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface TlsIdentityOptions {
  readonly files: TlsFiles;
  readonly reloadIntervalMs: number;
  readonly onReloaded?: () => void;
  /** New files cannot be used, or be read: those of before go on. Told once for each new reason. */
  readonly onUnusable?: (reason: string) => void;
}

/** Of the certificates of a file, in milliseconds since the Unix epoch. */
export interface Validity {
  /** When the oldest began. */
  readonly notBeforeMs: number;
  /** When the first ends. */
  readonly notAfterMs: number;
}

/** The content of the files, checked to fit together. */
export interface TlsMaterial {
  readonly context: Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>;
  /** Of each file of certificates. */
  readonly validity: ReadonlyMap<string, Validity>;
}

/**
 * What a process shows and believes in TLS, read anew when its files change. Files are looked at in intervals, since what
 * Kubernetes mounts changes by symbolic links that file watchers do not follow. Files that do not fit together change nothing.
 */
export class TlsIdentity {
  private readonly listeners = new Set<(material: TlsMaterial) => void>();
  private readonly timer: NodeJS.Timeout;
  private contents: Contents;
  private material: TlsMaterial;
  private lastReason: string | undefined;

  /** @throws Error that names the file, when one cannot be used */
  constructor(private readonly options: TlsIdentityOptions) {
    const { files } = options;
    const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file));
    this.contents = [read(files.caFile), read(files.certificateFile), read(files.keyFile)];
    this.material = toMaterial(files, this.contents);
    this.timer = setInterval(() => void this.reload(), options.reloadIntervalMs).unref();
  }

  get current(): TlsMaterial {
    return this.material;
  }

  /** Calls it now, and whenever the files have changed. @returns what ends that */
  follow(listener: (material: TlsMaterial) => void): () => void {
    this.listeners.add(listener);
    listener(this.material);
    return () => this.listeners.delete(listener);
  }

  /** Looks at the files now. */
  async reload(): Promise<void> {
    const { files, onReloaded, onUnusable } = this.options;
    try {
      const read = (file: string | undefined) => (file === undefined ? undefined : readFile(file));
      const paths = [files.caFile, files.certificateFile, files.keyFile];
      const contents = (await Promise.all(paths.map(read))) as unknown as Contents;
      if (contents.every((bytes, i) => isSame(bytes, this.contents[i]))) return;
      this.material = toMaterial(files, contents);
      this.contents = contents;
      this.lastReason = undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.lastReason) onUnusable?.(reason);
      this.lastReason = reason;
      return;
    }
    for (const listener of this.listeners) listener(this.material);
    onReloaded?.();
  }

  close(): void {
    clearInterval(this.timer);
    this.listeners.clear();
  }
}

/** Authorities, certificate, key. */
type Contents = readonly [Buffer | undefined, Buffer | undefined, Buffer | undefined];

function toMaterial(files: TlsFiles, [ca, cert, key]: Contents): TlsMaterial {
  const validity = new Map<string, Validity>();
  for (const [file, bytes] of [
    [files.caFile, ca],
    [files.certificateFile, cert],
  ] as const) {
    if (file !== undefined && bytes !== undefined)
      validity.set(
        file,
        named(file, () => validityOf(bytes)),
      );
  }
  const context = { ...(ca === undefined ? {} : { ca }), cert, key };
  named(files.keyFile, () => {
    const leaf = new X509Certificate(cert as Buffer);
    if (!leaf.checkPrivateKey(createPrivateKey(key as Buffer))) {
      throw new Error(`it does not belong to ${files.certificateFile}`);
    }
    createSecureContext(context);
  });
  return { context, validity };
}

function validityOf(pem: Buffer): Validity {
  const certificates = describeCertificates(pem.toString('utf8'));
  return {
    notBeforeMs: Math.min(...certificates.map(({ notBefore }) => notBefore.getTime())),
    notAfterMs: Math.min(...certificates.map(({ notAfter }) => notAfter.getTime())),
  };
}

function named<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new Error(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function isSame(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}
