import { CredentialStrategy, type Credentials } from './credential-strategy.js';
import type { IdentityDirectory } from './identity-directory.js';
import { matches } from './policy.js';
import { MAX_SUBJECT_CHARACTERS, type Principal, type Scope } from './principal.js';

/** Who has a certificate with a name. */
export interface CertificateMapping {
  /** Alternative name with its kind, like `URI:spiffe://example.org/client/alice`; `*` stands for any characters. */
  readonly name: string;
  readonly tenant: string;
  readonly roles: readonly string[];
  readonly scopes: readonly Scope[];
}

/** Lets in who has shown a certificate with a name that is known; a key or token that is sent, too, counts instead of it. */
export class CertificateStrategy extends CredentialStrategy {
  constructor(
    private readonly mappings: readonly CertificateMapping[],
    private readonly directory: IdentityDirectory,
  ) {
    super('certificate');
  }

  override async validate({ authorization, certificateNames }: Credentials): Promise<Principal | undefined> {
    if (authorization !== undefined) return undefined;
    for (const { name: pattern, tenant, roles, scopes } of this.mappings) {
      const name = certificateNames.find((candidate) => matches(pattern, candidate));
      if (name === undefined) continue;
      const view = await this.directory.tenant(tenant);
      if (view === undefined) return undefined;
      const subject = name.slice(0, MAX_SUBJECT_CHARACTERS);
      return { kind: 'certificate', tenantId: tenant, subject, roles, scopes, cacheSalt: view.tenant.cacheSalt };
    }
    return undefined;
  }
}
