import 'reflect-metadata'; // wanted by the library below, before it
import { createPrivateKey, KeyObject, randomBytes, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A certificate and its private key, both PEM. */
export interface CertifiedKey {
  readonly certificate: string;
  /** PKCS #8. */
  readonly key: string;
}

export interface CertificateWish {
  /** The identity, see `identityUri`. */
  readonly uri: string;
  /** Names and addresses under which clients reach it that know no identities, like browsers. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** What every TLS library knows; keys are small and quick. */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const SERIAL_BYTES = 16;

/** Makes an authority that signs certificates of leaves alone. */
export async function createAuthority(trustDomain: string, notBefore: Date, notAfter: Date): Promise<CertifiedKey> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const serialNumber = newSerial();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber,
    name: [{ O: ['HydraServe'] }, { CN: [`${trustDomain} ${serialNumber.slice(0, 8)}`] }], // two of a domain differ
    notBefore,
    notAfter,
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: exported(keys.privateKey) };
}

/** Makes a key and has the authority sign a certificate for it, good at both ends of a connection. */
export async function issueCertificate(authority: CertifiedKey, wish: CertificateWish): Promise<CertifiedKey> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const names: JsonGeneralName[] = [
    { type: 'url', value: wish.uri },
    ...wish.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...wish.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ O: ['HydraServe'] }, { CN: [wish.uri.slice(-64)] }], // X.520 allows 64 characters
    issuer: new X509Certificate(authority.certificate).subject,
    notBefore: wish.notBefore,
    notAfter: wish.notAfter,
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: createPrivateKey(authority.key).toCryptoKey(ALGORITHM, false, ['sign']),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension(names),
    ],
  });
  return { certificate: pem(certificate), key: exported(keys.privateKey) };
}

/** Positive, in hexadecimal. */
function newSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40; // no sign, no leading zero
  return bytes.toString('hex');
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trimEnd()}\n`;
}

function exported(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }) as string; // PEM is a string
}
