/** Services of ours that have certificates; `client` is for people's tools and for clients of the gateway. */
export const SERVICES = ['gateway', 'scheduler', 'worker', 'kvcache', 'client'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Who a certificate is for. In it as a URI: `spiffe://<trust domain>/<service>/<name>`. */
export interface ServiceIdentity {
  /** Those of one trust domain believe one authority. Lower-case letters, digits, `.`, `_`, `-`. */
  readonly trustDomain: string;
  readonly service: ServiceName;
  /** Letters, digits, `.`, `_`, `-`; at most 64. */
  readonly name: string;
}

/** The form of a trust domain, at most 255 characters. @see https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md */
export const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/;
const URI = /^spiffe:\/\/([^/]+)\/([^/]+)\/([^/]+)$/;

export function isServiceName(word: string): word is ServiceName {
  return (SERVICES as readonly string[]).includes(word);
}

export function isIdentityName(word: string): boolean {
  return NAME.test(word);
}

export function identityUri({ trustDomain, service, name }: ServiceIdentity): string {
  return `spiffe://${trustDomain}/${service}/${name}`;
}

/** @returns `undefined` for what is not one of our identities */
export function parseIdentityUri(uri: string): ServiceIdentity | undefined {
  const [, trustDomain = '', service = '', name = ''] = URI.exec(uri) ?? [];
  if (!TRUST_DOMAIN.test(trustDomain) || !isServiceName(service) || !isIdentityName(name)) return undefined;
  return { trustDomain, service, name };
}

/**
 * The alternative names of a certificate, each with its kind: `URI:spiffe://…`, `DNS:localhost`.
 * @param printed  as Node prints them, `, ` between them
 */
export function alternativeNames(printed: string | undefined): readonly string[] {
  // Node quotes names in which something could be mistaken for another name: nobody of ours has such.
  return printed === undefined || printed.includes('"') ? [] : printed.split(', ');
}

/** Those of one kind, without it. @param printed  as for `alternativeNames` */
export function namesOf(printed: string | undefined, kind: 'URI' | 'DNS' | 'IP Address'): readonly string[] {
  const prefix = `${kind}:`;
  return alternativeNames(printed)
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
}

/** The one URI among a certificate's alternative names; SPIFFE wants exactly one. */
export function uriOf(printed: string | undefined): string | undefined {
  const [uri, ...others] = namesOf(printed, 'URI');
  return others.length === 0 ? uri : undefined;
}
