import { LRUCache } from 'lru-cache';
import { AuthenticationError } from './errors.js';
import type { IdentityStore } from './identity-store.js';
import { KeptAnswers } from './kept-answers.js';
import type { CheckedKey } from './key-store.js';
import type { StoredLimits } from './limit-store.js';
import type { Policy } from './policy.js';
import type { Tenant } from './tenant-store.js';

export interface DirectoryOptions {
  /** Most keys, and most tenants, that are kept. */
  readonly entries: number;
  /** How often the database is asked whether something changed, in milliseconds: a revoked key is good no longer than this. */
  readonly refreshIntervalMs: number;
  /** How long what is kept stays good while the database cannot be reached, in milliseconds. */
  readonly outageGraceMs: number;
  /** Milliseconds of a steady clock. */
  readonly now?: () => number;
}

/** A tenant with the policies and limits that hold in it. */
export interface TenantView {
  readonly tenant: Tenant;
  readonly policies: readonly Policy[];
  readonly limits: readonly StoredLimits[];
}

/** Ids of keys that do not exist, kept apart so that guesses never push out a key that does. */
const UNKNOWN_KEYS = 1_000;
const RETRY_MS = 1_000;

/**
 * What the store says of keys and tenants, kept in memory: a request asks no database. One look per `refreshIntervalMs` at
 * the store's revision tells whether it may be outdated: then each is looked up again when it is asked for. Without the database, what is kept stays good for `outageGraceMs`;
 * then, and for what is not kept, authentication fails closed.
 */
export class IdentityDirectory {
  private readonly keys: KeptAnswers<CheckedKey>;
  private readonly unknownKeys = new LRUCache<string, true>({ max: UNKNOWN_KEYS });
  private readonly tenants: KeptAnswers<TenantView>;
  private readonly now: () => number;
  private revision: number | undefined;
  private syncedAtMs: number;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(
    private readonly store: IdentityStore,
    private readonly options: DirectoryOptions,
  ) {
    this.keys = new KeptAnswers(options.entries);
    this.tenants = new KeptAnswers(options.entries);
    this.now = options.now ?? (() => performance.now());
    this.syncedAtMs = this.now();
    store.changes.onChange(() => this.outdate());
  }

  /** Begins to look for changes. */
  watch(): void {
    this.timer = setTimeout(
      () => void this.sync().then(() => this.isClosed || this.watch()),
      this.options.refreshIntervalMs,
    );
    this.timer.unref();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
  }

  /** Looks for changes now. A database that cannot be reached is no error here: time tells. */
  async sync(): Promise<void> {
    try {
      const revision = await this.store.changes.revision();
      if (revision !== this.revision) this.outdate();
      this.revision = revision;
      this.syncedAtMs = this.now();
    } catch {
      // See `outageGraceMs`.
    }
  }

  private outdate(): void {
    this.keys.outdate();
    this.unknownKeys.clear();
    this.tenants.outdate();
  }

  /** Whether the key was there a moment ago, or was not: one that is asked for from an address that is slowed down. At most one look at the database for each, and each change. */
  hasKey(id: string): boolean {
    return this.keys.has(id) || this.unknownKeys.has(id);
  }

  /** @throws AuthenticationError unavailable */
  key(id: string): Promise<CheckedKey | undefined> {
    if (!this.isSynced) return Promise.reject(outOfReach());
    if (this.unknownKeys.has(id)) return Promise.resolve(undefined);
    return this.keys.get(id, async () => {
      const key = await this.store.keys.find(id).catch(notReached);
      if (key === undefined && this.keys.delete(id)) this.unknownKeys.set(id, true);
      return key;
    });
  }

  /** @returns `undefined` for a tenant that does not exist or is suspended @throws AuthenticationError unavailable */
  tenant(id: string): Promise<TenantView | undefined> {
    if (!this.isSynced) return Promise.reject(outOfReach());
    return this.tenants.get(id, () => this.load(id).catch(notReached));
  }

  private async load(id: string): Promise<TenantView | undefined> {
    const { tenants, policies, limits } = this.store;
    const [tenant, ...rules] = await Promise.all([tenants.find(id), policies.list(id), limits.list(id)]);
    if (tenant?.state !== 'active') return undefined;
    return { tenant, policies: rules[0], limits: rules[1] };
  }

  private get isSynced(): boolean {
    return this.now() - this.syncedAtMs <= this.options.refreshIntervalMs + this.options.outageGraceMs;
  }
}

function notReached(cause: unknown): never {
  throw unavailable('the database cannot be reached', cause);
}

function outOfReach(): AuthenticationError {
  return unavailable('the database has been out of reach for longer than auth.outageGraceMs');
}

function unavailable(message: string, cause?: unknown): AuthenticationError {
  return new AuthenticationError('unavailable', message, { cause, retryAfterMs: RETRY_MS });
}
