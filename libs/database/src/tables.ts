/**
 * The tables as the code sees them; SQL has snake_case. Times are milliseconds since the Unix epoch. Text that ends in `Json`
 * holds JSON, so that both databases store it alike.
 */
export interface Tables {
  readonly tenants: TenantRow;
  readonly serviceAccounts: ServiceAccountRow;
  readonly apiKeys: ApiKeyRow;
  readonly policies: PolicyRow;
  readonly limits: LimitsRow;
  readonly usageEntries: UsageRow;
  readonly auditLog: AuditRow;
  readonly revisions: RevisionRow;
}

export interface TenantRow {
  /** Chosen by the operator: a slug. */
  readonly id: string;
  readonly name: string;
  readonly state: 'active' | 'suspended';
  /** Random, 32 hexadecimal digits: keeps cached prefixes of tenants apart. */
  readonly cacheSalt: string;
  readonly createdAtMs: number;
}

/** Who a key speaks for. */
export interface ServiceAccountRow {
  readonly id: string;
  readonly tenantId: string;
  /** Unique in its tenant. */
  readonly name: string;
  /** Names of roles. */
  readonly rolesJson: string;
  readonly createdAtMs: number;
}

export interface ApiKeyRow {
  /** The public part of the key. */
  readonly id: string;
  readonly tenantId: string;
  readonly accountId: string;
  /** SHA-256 of the whole key, hexadecimal. */
  readonly hash: string;
  readonly scopesJson: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  /** Absent while it is good; may lie in the future while a rotation overlaps. */
  readonly revokedAtMs: number | null;
  /** To within some seconds. */
  readonly lastUsedAtMs: number | null;
  /** Id of the first of the keys that came of each other by rotation; null means its own, as a process of an earlier version writes it. */
  readonly lineageId: string | null;
}

export interface PolicyRow {
  readonly id: string;
  /** Absent: for every tenant. */
  readonly tenantId: string | null;
  readonly role: string;
  readonly actionsJson: string;
  /** Patterns of model ids. */
  readonly modelsJson: string;
  readonly capsJson: string;
  readonly createdAtMs: number;
}

export interface LimitsRow {
  readonly tenantId: string;
  /** Of one key; empty for the tenant as a whole. */
  readonly keyId: string;
  /** With one model; empty for all together. */
  readonly modelId: string;
  readonly limitsJson: string;
}

/** What one answer used. Never updated. */
export interface UsageRow {
  /** Of the answer, made by the server. */
  readonly id: string;
  readonly tenantId: string;
  /** Empty for tokens of an issuer. */
  readonly keyId: string;
  readonly modelId: string;
  /** `x-request-id`; not unique. */
  readonly requestId: string;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** Billionths of a currency unit. */
  readonly costNanos: number;
  readonly outcome: string;
  /** Days since the Unix epoch, by UTC. */
  readonly day: number;
  readonly atMs: number;
}

/** One act of administration. Never updated. */
export interface AuditRow {
  readonly id: string;
  readonly atMs: number;
  /** `key:ID`, `jwt:SUBJECT` or `cli`. */
  readonly actor: string;
  /** The tenant acted upon; absent when it is the platform. */
  readonly tenantId: string | null;
  /** Noun then verb: `key-create`. */
  readonly action: string;
  readonly target: string;
  readonly detailsJson: string;
  /** Address the request came from; empty for the command line. */
  readonly address: string;
}

/** Counts changes, so that other processes see that what they cached is old. */
export interface RevisionRow {
  readonly name: string;
  readonly value: number;
}
