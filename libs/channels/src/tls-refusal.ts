import type { TLSSocket } from 'node:tls';
import { parseIdentityUri, type ServiceIdentity, uriOf } from '#lib/certificates';

/** Why a connection, or a call on it, is refused. */
export const TLS_REFUSALS = [
  /** It speaks no TLS. */
  'plaintext',
  /** It speaks no version of TLS that is new enough. */
  'protocol-version',
  /** It shows no certificate. */
  'no-certificate',
  /** Its certificate is not of an authority that is believed. */
  'unknown-authority',
  /** Its certificate, or its authority's, is over. */
  'expired',
  'not-yet-valid',
  /** Its certificate is for nobody of our trust domain. */
  'wrong-identity',
  /** It is one of ours, but another one than should be there. */
  'wrong-service',
  /** Anything else that goes wrong before the connection stands. */
  'handshake',
] as const;
export type TlsRefusal = (typeof TLS_REFUSALS)[number];

const BY_CODE: Readonly<Record<string, TlsRefusal>> = {
  ERR_SSL_HTTP_REQUEST: 'plaintext',
  ERR_SSL_WRONG_VERSION_NUMBER: 'plaintext',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'plaintext',
  ERR_SSL_RECORD_LAYER_FAILURE: 'plaintext',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'protocol-version',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'protocol-version',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not-yet-valid',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown-authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown-authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown-authority',
  CERT_SIGNATURE_FAILURE: 'unknown-authority',
};

/** @param code  of an error of TLS, or of the check of a certificate */
export function refusalOf(code: unknown): TlsRefusal {
  return BY_CODE[String(code)] ?? 'handshake';
}

/** A peer that goes away by itself before the connection stands is not refused: probes of ports do that. */
export function isPeerGone(code: unknown): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE';
}

export function hasPeerCertificate(socket: TLSSocket): boolean {
  return socket.getPeerX509Certificate() !== undefined;
}

/** @param certificate  one that was checked @returns `undefined` when it is for nobody of the trust domain */
export function identityOf(
  certificate: { readonly subjectaltname?: string | undefined } | undefined,
  trustDomain: string,
): ServiceIdentity | undefined {
  const uri = uriOf(certificate?.subjectaltname);
  const identity = uri === undefined ? undefined : parseIdentityUri(uri);
  return identity?.trustDomain === trustDomain ? identity : undefined;
}
