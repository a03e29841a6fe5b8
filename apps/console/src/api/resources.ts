/** What the public API answers, as far as the console reads it; described in full at `/docs`. */

export interface List<T> {
  readonly data: readonly T[];
}

export interface Model {
  readonly id: string;
  /** The model behind an alias. */
  readonly parent: string | null;
  readonly max_model_len: number;
  readonly capabilities: readonly string[];
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number };
}

/** Whom the key speaks for: `GET /v1/me`. */
export interface Caller {
  readonly kind: 'anonymous' | 'api-key' | 'jwt' | 'certificate';
  readonly tenant: string;
  readonly subject: string;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
}

/** `GET /v1/fleet`. Counts grow from the start of what counts them. */
export interface Fleet {
  readonly observed_at_ms: number;
  /** Another gateway has counted for itself. */
  readonly gateway: string;
  readonly version: string;
  readonly in_flight: number;
  readonly latency_buckets_seconds: readonly number[];
  readonly schedulers: readonly { readonly target: string; readonly connected: boolean; readonly waiting: number }[];
  readonly workers: readonly FleetWorker[];
  readonly models: readonly FleetModel[];
}

export interface FleetWorker {
  readonly id: string;
  /** Seconds since the Unix epoch. */
  readonly started_at: number;
  readonly engine: string;
  readonly role: string;
  readonly connected: boolean;
  readonly draining: boolean;
  readonly models: readonly string[];
  readonly adapters: readonly string[];
  readonly devices: readonly FleetDevice[];
  readonly running: number;
  readonly waiting: number;
  readonly pending_prefill_tokens: number;
  readonly kv_used_bytes: number;
  readonly kv_total_bytes: number;
  readonly tokens_per_second: number;
  readonly step_seconds: number;
  readonly prefix_query_tokens: number;
  readonly prefix_hit_tokens: number;
}

export interface FleetDevice {
  readonly kind: string;
  readonly index: number;
  readonly name: string;
  readonly utilization: number | null;
}

export interface FleetModel {
  readonly id: string;
  readonly context_tokens: number;
  readonly weights: string;
  readonly numerics: string;
  readonly workers: number;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly completion_tokens: number;
  readonly ttft: Latency;
  readonly itl: Latency;
}

export interface Latency {
  /** Of each bucket alone; the last is what is beyond all bounds. */
  readonly counts: readonly number[];
}

/** Below `/v1/admin`; times are seconds since the Unix epoch. */
export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly state: 'active' | 'suspended';
}

export interface ServiceAccount {
  readonly name: string;
  readonly roles: readonly string[];
}

export interface ApiKey {
  /** Its public part. */
  readonly id: string;
  readonly account: string;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
  readonly last_used_at: number | null;
}

/** The answer that made it, the only one that shows it. */
export interface NewApiKey extends ApiKey {
  readonly key: string;
}

/** A row of `GET /v1/usage`; what was not summed by is absent. */
export interface UsageSum {
  readonly tenant?: string;
  readonly key?: string;
  readonly model?: string;
  readonly day?: string;
  readonly requests: number;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly completion_tokens: number;
  readonly cost_micros: number;
}
