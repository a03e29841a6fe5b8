import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateFolder, certificateFiles } from './certificate-folder.js';
import { TlsIdentity } from './tls-identity.js';

let path: string;
let folder: CertificateFolder;
let identity: TlsIdentity;
let told: string[];
let seen: unknown[];

beforeEach(async () => {
  path = mkdtempSync(join(tmpdir(), 'hydra-certificates-'));
  folder = new CertificateFolder(path, 'example.org');
  await folder.ensure(['gateway', 'worker']);
  told = [];
  seen = [];
  identity = new TlsIdentity({
    files: certificateFiles(path, 'gateway'),
    reloadIntervalMs: 3_600_000,
    onReloaded: () => told.push('reloaded'),
    onUnusable: (reason) => told.push(reason),
  });
  identity.follow((material) => seen.push(material));
});
afterEach(() => {
  identity.close();
  rmSync(path, { recursive: true, force: true });
});

describe('an identity that follows its files', () => {
  it('given files that stay, when looked at, then nothing happens', async () => {
    await identity.reload();
    expect(told).toEqual([]);
    expect(seen).toEqual([identity.current]);
  });

  it('given a renewed certificate, when looked at, then whoever follows gets it, with its end', async () => {
    const before = identity.current;
    await folder.issue('gateway', 'default', { days: 1 });
    await identity.reload();
    expect(told).toEqual(['reloaded']);
    expect(seen).toEqual([before, identity.current]);
    const ends = [...identity.current.validity.values()].map(({ notAfterMs }) => notAfterMs);
    expect(ends[1]).toBeLessThan(Date.now() + 86_400_000);
    expect(ends[0]).toBeGreaterThan(Date.now() + 3_000 * 86_400_000);
  });

  it('given a key of another certificate, a broken file or none, then those of before go on, and it is told once', async () => {
    const { certificateFile, keyFile } = certificateFiles(path, 'gateway');
    const before = identity.current;
    copyFileSync(join(path, 'worker.key'), keyFile);
    await identity.reload();
    await identity.reload();
    writeFileSync(certificateFile, 'no certificate');
    await identity.reload();
    rmSync(certificateFile);
    await identity.reload();
    expect(identity.current).toBe(before);
    expect(told).toEqual([
      `${keyFile}: it does not belong to ${certificateFile}`,
      `${certificateFile}: it holds no certificate in PEM`,
      expect.stringContaining('ENOENT'),
    ]);
    await folder.issue('gateway');
    await identity.reload();
    expect(told).toHaveLength(4);
    expect(identity.current).not.toBe(before);
  });

  it('given files that cannot be used, when opened, then the file is named', () => {
    const files = { ...certificateFiles(path, 'gateway'), keyFile: join(path, 'worker.key') };
    expect(() => new TlsIdentity({ files, reloadIntervalMs: 1_000 })).toThrow(
      `${files.keyFile}: it does not belong to`,
    );
  });
});
