import type { Database } from '#lib/database';
import { IdentityChanges } from './identity-changes.js';
import { KeyStore } from './key-store.js';
import { LimitStore } from './limit-store.js';
import { PolicyStore } from './policy-store.js';
import { TenantStore } from './tenant-store.js';

/** Who may come in and what they may do, in the database. */
export class IdentityStore {
  /** The audit log and the revision. */
  readonly changes: IdentityChanges;
  readonly tenants: TenantStore;
  readonly keys: KeyStore;
  readonly policies: PolicyStore;
  readonly limits: LimitStore;

  constructor(database: Database, now: () => number = Date.now) {
    this.changes = new IdentityChanges(database, now);
    this.tenants = new TenantStore(this.changes);
    this.keys = new KeyStore(this.changes);
    this.policies = new PolicyStore(this.changes);
    this.limits = new LimitStore(this.changes);
  }
}
