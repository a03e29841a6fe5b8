import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateFolder, CertificateFolderError } from './certificate-folder.js';

const DAY_MS = 86_400_000;

let path: string;
let at: { ms: number };
let folder: CertificateFolder;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'hydra-certificates-'));
  at = { ms: Date.now() };
  folder = new CertificateFolder(path, 'example.org', () => at.ms);
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const text = (file: string) => readFileSync(join(path, file), 'utf8');
const certificate = (file: string) => new X509Certificate(text(file));
const isSignedBy = (leaf: string, authority: X509Certificate) => certificate(leaf).verify(authority.publicKey);

describe('a folder of certificates', () => {
  it('given an authority, when an identity is issued, then it names its service and only its owner may read the keys', async () => {
    await folder.init();
    await folder.issue('worker', 'a', { days: 7, dnsNames: ['w.example'], ipAddresses: ['10.0.0.1', '::1'] });
    const leaf = certificate('worker-a.crt');
    expect(leaf.subjectAltName).toBe(
      'URI:spiffe://example.org/worker/a, DNS:w.example, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1',
    );
    expect(isSignedBy('worker-a.crt', certificate('ca.crt'))).toBe(true);
    expect([certificate('ca.crt').ca, leaf.ca]).toEqual([true, false]);
    expect(leaf.validToDate.getTime()).toBeCloseTo(at.ms + 7 * DAY_MS, -4);
    for (const key of ['ca.key', 'worker-a.key']) expect(statSync(join(path, key)).mode & 0o777).toBe(0o600);
  });

  it('given an authority, when another one is made, then it is refused; without one nothing is issued', async () => {
    await expect(folder.issue('worker')).rejects.toThrow('hydra certs init');
    await folder.init();
    await expect(folder.init()).rejects.toThrow(CertificateFolderError);
  });

  it('given services, when ensured, then what is missing is made, and what is there stays', async () => {
    await folder.ensure(['gateway']);
    const before = text('gateway.crt');
    expect(await folder.ensure(['gateway', 'worker'])).toEqual([join(path, 'worker.crt')]);
    expect(text('gateway.crt')).toBe(before);
    expect(certificate('worker.crt').checkHost('localhost')).toBe('localhost');
  });

  it('given an identity, when two thirds of its life are over, then it is due and renewed with its names and length', async () => {
    await folder.init();
    await folder.issue('client', 'alice', { days: 30, dnsNames: ['a.example'] });
    at.ms += 19 * DAY_MS;
    expect(await folder.renew('due')).toEqual([]);
    at.ms += 2 * DAY_MS;
    const { serialNumber, subjectAltName } = certificate('client-alice.crt');
    const key = text('client-alice.key');
    expect(await folder.renew('due')).toEqual([join(path, 'client-alice.crt')]);
    const renewed = certificate('client-alice.crt');
    expect(renewed.serialNumber).not.toBe(serialNumber);
    expect(renewed.subjectAltName).toBe(subjectAltName);
    expect(text('client-alice.key')).not.toBe(key);
    expect(renewed.validToDate.getTime()).toBeCloseTo(at.ms + 30 * DAY_MS, -4);
  });

  it('given a new authority, then the old one is believed until its last identity is renewed and it is retired', async () => {
    await folder.ensure(['gateway', 'worker']);
    const old = certificate('ca.crt');
    await folder.rotateAuthority();
    expect(text('ca.crt').match(/BEGIN/g)).toHaveLength(2);
    expect(isSignedBy('gateway.crt', old)).toBe(true);
    await folder.issue('worker');
    expect(isSignedBy('worker.crt', certificate('ca.crt'))).toBe(true);
    expect(() => folder.retireAuthorities()).toThrow('gateway.crt; renew them first');
    await folder.renew('all');
    folder.retireAuthorities();
    expect(text('ca.crt').match(/BEGIN/g)).toHaveLength(1);
    expect(isSignedBy('gateway.crt', certificate('ca.crt'))).toBe(true);
    expect(isSignedBy('gateway.crt', old)).toBe(false);
  });

  it('given days beyond the end of the authority, then they are refused with what is left; without a word of days, its end counts', async () => {
    await folder.init();
    const endMs = certificate('ca.crt').validToDate.getTime();
    const left = Math.floor((endMs - at.ms) / DAY_MS);
    await folder.issue('worker', 'long', { days: left });
    expect(certificate('worker-long.crt').validToDate.getTime()).toBeLessThanOrEqual(endMs);
    const tooLong = folder.issue('worker', 'a', { days: left + 1 });
    await expect(tooLong).rejects.toThrow(/beyond the end of the authority, \d{4}-\d\d-\d\d: give at most \d+, or/);
    await expect(folder.issue('worker', 'a', { days: Number.MAX_SAFE_INTEGER })).rejects.toThrow('beyond the end');
    expect(existsSync(join(path, 'worker-a.crt'))).toBe(false);

    at.ms = endMs - 10 * DAY_MS;
    await folder.issue('worker', 'a');
    expect(certificate('worker-a.crt').validToDate.getTime()).toBe(endMs);
    at.ms = endMs - 1_000;
    await expect(folder.issue('worker', 'a', { days: 1 })).rejects.toThrow('less than a day is left');
    at.ms = endMs;
    for (const options of [{}, { days: 1 }]) {
      await expect(folder.issue('worker', 'a', options)).rejects.toThrow(/the authority ended .*hydra certs rotate/);
    }
    await expect(folder.renew('all')).rejects.toThrow('the authority ended');
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('given %s days, then nothing is issued', async (days) => {
    await folder.init();
    await expect(folder.issue('worker', 'a', { days })).rejects.toThrow('a whole number of days, at least 1');
    expect(existsSync(join(path, 'worker-a.crt'))).toBe(false);
  });

  it('given an identity of another trust domain, when renewed, then nothing is signed', async () => {
    await folder.ensure(['gateway']);
    const other = new CertificateFolder(path, 'other.org', () => at.ms);
    await expect(other.renew('all')).rejects.toThrow('which is not in other.org');
  });
});
