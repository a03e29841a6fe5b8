import { ApiProperty } from '@nestjs/swagger';
import type { AuditEntry, Policy, ServiceAccount, StoredKey, StoredLimits, Tenant } from '#lib/auth';
import { idOfLimits, MODEL_ACTIONS, SCOPES } from '#lib/auth';

/** What administration answers. Times are seconds since the Unix epoch, as everywhere in the public API. */

const TIME = { type: 'integer', description: 'Seconds since the Unix epoch.' } as const;
const LIMIT = { type: 'integer', required: false } as const;
const OPTIONAL_TIME = { ...TIME, nullable: true } as const;

export class TenantResource {
  @ApiProperty({ enum: ['tenant'] }) readonly object = 'tenant';
  @ApiProperty() readonly id: string;
  @ApiProperty() readonly name: string;
  @ApiProperty({ enum: ['active', 'suspended'] }) readonly state: string;
  @ApiProperty(TIME) readonly created_at: number;

  constructor({ id, name, state, createdAtMs }: Tenant) {
    this.id = id;
    this.name = name;
    this.state = state;
    this.created_at = toSeconds(createdAtMs);
  }
}

export class ServiceAccountResource {
  @ApiProperty({ enum: ['service_account'] }) readonly object = 'service_account';
  @ApiProperty() readonly id: string;
  @ApiProperty() readonly name: string;
  @ApiProperty({ type: [String] }) readonly roles: readonly string[];
  @ApiProperty(TIME) readonly created_at: number;

  constructor({ id, name, roles, createdAtMs }: ServiceAccount) {
    this.id = id;
    this.name = name;
    this.roles = roles;
    this.created_at = toSeconds(createdAtMs);
  }
}

export class KeyResource {
  @ApiProperty({ enum: ['api_key'] }) readonly object = 'api_key';
  @ApiProperty({ description: 'The public part of the key.' }) readonly id: string;
  @ApiProperty({ description: 'Name of the service account.' }) readonly account: string;
  @ApiProperty({ type: [String] }) readonly roles: readonly string[];
  @ApiProperty({ enum: SCOPES, isArray: true }) readonly scopes: readonly string[];
  @ApiProperty(TIME) readonly created_at: number;
  @ApiProperty(OPTIONAL_TIME) readonly expires_at: number | null;
  @ApiProperty(OPTIONAL_TIME) readonly revoked_at: number | null;
  @ApiProperty(OPTIONAL_TIME) readonly last_used_at: number | null;
  @ApiProperty({
    description: 'Id of the first of the keys that came of each other by rotation: their limits stand under it.',
  })
  readonly lineage: string;

  constructor(key: StoredKey) {
    this.id = key.id;
    this.account = key.accountName;
    this.roles = key.roles;
    this.scopes = key.scopes;
    this.created_at = toSeconds(key.createdAtMs);
    this.expires_at = toSecondsOrNull(key.expiresAtMs);
    this.revoked_at = toSecondsOrNull(key.revokedAtMs);
    this.last_used_at = toSecondsOrNull(key.lastUsedAtMs);
    this.lineage = key.lineageId;
  }
}

export class NewKeyResource extends KeyResource {
  @ApiProperty({ description: 'The key itself: shown this once.' }) readonly key: string;

  constructor(key: StoredKey, text: string) {
    super(key);
    this.key = text;
  }
}

export class CapsResource {
  @ApiProperty({ type: 'integer', required: false }) readonly context_tokens: number | undefined;
  @ApiProperty({ type: 'integer', required: false }) readonly max_tokens: number | undefined;
  @ApiProperty({ type: 'integer', required: false }) readonly choices: number | undefined;
  @ApiProperty({ type: 'integer', required: false }) readonly priority: number | undefined;

  constructor({ contextTokens, maxTokens, choices, priority }: Policy['caps']) {
    this.context_tokens = contextTokens;
    this.max_tokens = maxTokens;
    this.choices = choices;
    this.priority = priority;
  }
}

export class PolicyResource {
  @ApiProperty({ enum: ['policy'] }) readonly object = 'policy';
  @ApiProperty() readonly id: string;
  @ApiProperty({ type: String, nullable: true, description: 'Null: in every tenant.' }) readonly tenant: string | null;
  @ApiProperty() readonly role: string;
  @ApiProperty({ enum: MODEL_ACTIONS, isArray: true }) readonly actions: readonly string[];
  @ApiProperty({ type: [String] }) readonly models: readonly string[];
  @ApiProperty({ type: CapsResource }) readonly caps: CapsResource;

  constructor({ id, tenantId, role, actions, models, caps }: Policy) {
    this.id = id;
    this.tenant = tenantId ?? null;
    this.role = role;
    this.actions = actions;
    this.models = models;
    this.caps = new CapsResource(caps);
  }
}

export class LimitsResource {
  @ApiProperty({ enum: ['limits'] }) readonly object = 'limits';
  @ApiProperty({ description: 'Whose they are, and with which model: unique in the tenant.' }) readonly id: string;
  @ApiProperty({
    type: String,
    nullable: true,
    description:
      'The last of the keys that came of each other by rotation: the limits are those of all of them. Null: of the tenant as a whole.',
  })
  readonly key: string | null;
  @ApiProperty({ type: String, nullable: true, description: 'The first of these keys.' })
  readonly lineage: string | null;
  @ApiProperty({ type: String, nullable: true, description: 'Null: of all models together.' }) readonly model:
    | string
    | null;
  @ApiProperty(LIMIT) readonly requests_per_minute: number | undefined;
  @ApiProperty(LIMIT) readonly tokens_per_minute: number | undefined;
  @ApiProperty(LIMIT) readonly concurrent_requests: number | undefined;
  @ApiProperty(LIMIT) readonly tokens_per_day: number | undefined;
  @ApiProperty(LIMIT) readonly tokens_per_month: number | undefined;
  @ApiProperty(LIMIT) readonly cost_micros_per_day: number | undefined;
  @ApiProperty(LIMIT) readonly cost_micros_per_month: number | undefined;

  /** @param lastKeyId  of the lineage that the limits are of */
  constructor(stored: StoredLimits, lastKeyId = stored.keyId) {
    const { keyId: lineageId, modelId, limits } = stored;
    this.id = idOfLimits(stored);
    this.key = lastKeyId ?? null;
    this.lineage = lineageId ?? null;
    this.model = modelId ?? null;
    this.requests_per_minute = limits.requestsPerMinute;
    this.tokens_per_minute = limits.tokensPerMinute;
    this.concurrent_requests = limits.concurrentRequests;
    this.tokens_per_day = limits.tokensPerDay;
    this.tokens_per_month = limits.tokensPerMonth;
    this.cost_micros_per_day = limits.costMicrosPerDay;
    this.cost_micros_per_month = limits.costMicrosPerMonth;
  }
}

export class AuditResource {
  @ApiProperty({ enum: ['audit_entry'] }) readonly object = 'audit_entry';
  @ApiProperty() readonly id: string;
  @ApiProperty(TIME) readonly created_at: number;
  @ApiProperty({ description: '`key:ID`, `jwt:SUBJECT` or `cli:USER`.' }) readonly actor: string;
  @ApiProperty({ type: String, nullable: true }) readonly tenant: string | null;
  @ApiProperty({ example: 'key-create' }) readonly action: string;
  @ApiProperty() readonly target: string;
  @ApiProperty({ type: 'object', additionalProperties: true }) readonly details: Readonly<Record<string, unknown>>;
  @ApiProperty() readonly address: string;

  constructor(entry: AuditEntry) {
    this.id = entry.id;
    this.created_at = toSeconds(entry.atMs);
    this.actor = entry.actor;
    this.tenant = entry.tenantId ?? null;
    this.action = entry.action;
    this.target = entry.target;
    this.details = entry.details;
    this.address = entry.address;
  }
}

function toSeconds(ms: number): number {
  return Math.floor(ms / 1_000);
}

function toSecondsOrNull(ms: number | undefined): number | null {
  return ms === undefined ? null : toSeconds(ms);
}
