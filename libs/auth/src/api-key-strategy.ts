import { isSameHash, parseApiKey } from './api-key.js';
import { BearerStrategy } from './bearer-strategy.js';
import type { IdentityDirectory } from './identity-directory.js';
import { isGood } from './key-store.js';
import type { KeyUsage } from './key-usage.js';
import type { Principal } from './principal.js';

/** Lets in who has one of our keys. */
export class ApiKeyStrategy extends BearerStrategy {
  constructor(
    private readonly directory: IdentityDirectory,
    private readonly usage: KeyUsage,
  ) {
    super('api-key');
  }

  protected override claims(token: string): boolean {
    return token.startsWith('hydra_');
  }

  protected override knows(token: string): boolean {
    const presented = parseApiKey(token);
    return presented === undefined || this.directory.hasKey(presented.id);
  }

  protected override async verifyToken(token: string): Promise<Principal | undefined> {
    const presented = parseApiKey(token);
    const key = presented && (await this.directory.key(presented.id));
    if (key === undefined || !isSameHash(key.hash, presented?.hash ?? '') || !isGood(key, Date.now())) return undefined;
    const view = await this.directory.tenant(key.tenantId);
    if (view === undefined) return undefined;
    this.usage.used(key.id);
    return {
      kind: 'api-key',
      tenantId: key.tenantId,
      subject: key.accountName,
      keyId: key.id,
      keyLineageId: key.lineageId,
      roles: key.roles,
      scopes: key.scopes,
      cacheSalt: view.tenant.cacheSalt,
    };
  }
}
