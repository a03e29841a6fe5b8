import type { CertificateMapping, IdentityDirectory, JwtMapping } from '#lib/auth';
import type { Logger } from '#lib/observability';

/** An issuer may send the same token thousands of times a second. */
const TOLD_EVERY_MS = 60_000;
const MAX_TENANT_CHARACTERS = 64;

/**
 * Warns of rules whose tenant does not exist, or is suspended: whoever they are for is answered 401, without a word why. A tenant that is made later is found then.
 * @param rules  `auth.clientCertificates`
 */
export async function warnOfUnknownTenants(
  rules: readonly CertificateMapping[],
  directory: IdentityDirectory,
  logger: Logger,
): Promise<void> {
  for (const tenant of new Set(rules.map((rule) => rule.tenant))) {
    const view = await directory.tenant(tenant).catch(() => 'out of reach' as const); // what then comes of requests, `outageGraceMs` says
    if (view !== undefined) continue;
    const names = rules.filter((rule) => rule.tenant === tenant).map(({ name }) => name);
    logger.warn(
      { tenant_id: tenant, certificates: names.slice(0, 10) },
      'auth.clientCertificates names a tenant that does not exist or is suspended: nobody is let in by these rules',
    );
  }
}

/** Warns of good tokens whose tenant does not exist, or is suspended: once a minute of each issuer. @param now  of a steady clock */
export function tellUnknownTenants(logger: Logger, now: () => number = () => performance.now()) {
  const toldAtMs = new Map<string, number>();
  return ({ issuer, tenantClaim }: JwtMapping, tenantId: string | undefined): void => {
    if (now() - (toldAtMs.get(issuer) ?? -Infinity) < TOLD_EVERY_MS) return;
    toldAtMs.set(issuer, now());
    const tenant = tenantId?.slice(0, MAX_TENANT_CHARACTERS);
    logger.warn(
      { issuer, claim: tenantClaim, tenant_id: tenant },
      tenant === undefined
        ? 'a good token names no tenant in the claim that auth.jwt says, and is refused'
        : 'a good token names a tenant that does not exist or is suspended, and is refused',
    );
  };
}
