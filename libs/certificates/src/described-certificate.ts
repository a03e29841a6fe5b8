import { X509Certificate } from 'node:crypto';
import { namesOf, uriOf } from './service-identity.js';

/** What people and metrics want to know of a certificate. */
export interface DescribedCertificate {
  /** The identity; absent in an authority's. */
  readonly uri: string | undefined;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly issuer: string;
  readonly subject: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Reads the certificates of a file, in order.
 * @throws Error when there is none, or one cannot be read
 */
export function describeCertificates(pem: string): [DescribedCertificate, ...DescribedCertificate[]] {
  const [first, ...others] = splitCertificates(pem).map((one) => describe(new X509Certificate(one)));
  if (first === undefined) throw new Error('it holds no certificate in PEM');
  return [first, ...others];
}

/** The certificates of a file, each PEM. */
export function splitCertificates(pem: string): readonly string[] {
  return (pem.match(CERTIFICATE) ?? []).map((one) => `${one}\n`);
}

function describe({
  subjectAltName,
  issuer,
  subject,
  validFromDate,
  validToDate,
}: X509Certificate): DescribedCertificate {
  return {
    uri: uriOf(subjectAltName),
    dnsNames: namesOf(subjectAltName, 'DNS'),
    ipAddresses: namesOf(subjectAltName, 'IP Address'),
    issuer: issuer.replaceAll('\n', ', '),
    subject: subject.replaceAll('\n', ', '),
    notBefore: validFromDate,
    notAfter: validToDate,
  };
}
