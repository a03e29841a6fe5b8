import { Injectable } from '@nestjs/common';
import { register } from 'prom-client';
import type { AuthenticationFailure } from '#lib/auth';
import { FailureCode } from '#lib/contracts';
import type { LimitName, UsageEntry } from '#lib/limits';
import {
  beginAtZero,
  type Exemplar,
  histogramWithExemplars,
  LATENCY_BUCKETS_SECONDS,
  observe,
  readGauge,
  SeriesCounter,
  type SeriesHistogram,
} from '#lib/observability';
import type { AnswerUsage } from '#lib/openai';
import { countsByModel, type ModelCounts, totalsByModel } from './model-counts.js';

/** Tenants with series of their own: some for each, so bounded. */
const MAX_TENANT_LABELS = 200;
const NANOS_PER_UNIT = 1_000_000_000;

/** Where a client left: `waiting` before its first token, `streaming` after. */
export type LeavingPhase = 'waiting' | 'streaming';

/**
 * What the gateway measures. Labels are bounded: routes are ours, models are those of the fleet, codes are those of the
 * error table, and of tenants there are only so many.
 */
@Injectable()
export class GatewayMetrics {
  private readonly ttft = latency('time_to_first_token', 'From arrival to the first token.', ['model']);
  private readonly itl = latency('inter_token_latency', 'Gap between two deliveries of a streamed sequence.', [
    'model',
  ]);
  private readonly duration = latency('request_duration', 'From arrival to the end of the answer.', ['route', 'model']);
  private readonly placementWait = latency('placement_wait', 'Time a generation waited for its place.', ['model']);
  private readonly promptTokens = counter('prompt_tokens_total', 'Tokens of prompts.', ['model']);
  private readonly cachedTokens = counter('cached_prompt_tokens_total', 'Tokens of prompts from a cache.', ['model']);
  private readonly completionTokens = counter('completion_tokens_total', 'Tokens generated.', ['model']);
  private readonly requests = counter(
    'requests_total',
    'Requests answered; code is `ok`, that of the error, or `client_deadline` where a deadline that the client set has passed.',
    ['route', 'status', 'code'],
  );
  private readonly placedAgain = counter('placements_repeated_total', 'Generations placed again, by reason.', [
    'reason',
  ]);
  private readonly placedAlone = counter('placements_without_scheduler_total', 'Placed round robin.', []);
  private readonly unknownFields = counter('unknown_fields_total', 'Unknown fields in request bodies.', ['route']);
  private readonly refusedCallers = counter(
    'authentications_failed_total',
    'Requests not let in: `missing`, `invalid`, `slowed`, `unavailable`, or `scope`.',
    ['reason'],
  );
  private readonly limited = counter(
    'limited_requests_total',
    'Requests over a limit of their tenant or key, by tenant and limit.',
    ['tenant', 'limit'],
  );
  private readonly withoutRedis = counter(
    'limit_outage_decisions_total',
    'Decisions about limits while Redis was away: `refused` or `counted-locally`.',
    ['decision'],
  );
  private readonly tenantTokens = counter(
    'tenant_tokens_total',
    'Tokens that count for a tenant, of prompts or answers.',
    ['tenant', 'kind'],
  );
  private readonly tenantCost = counter('tenant_cost_total', 'Cost of a tenant, in the currency of the prices.', [
    'tenant',
  ]);
  private readonly tenants = new Set<string>();
  private readonly clientsGone = counter('aborted_clients_total', 'Clients that left before the end.', ['phase']);

  constructor() {
    beginAtZero(
      this.placedAgain,
      'reason',
      Object.values(FailureCode).filter((code) => typeof code === 'string'),
    );
    beginAtZero(this.refusedCallers, 'reason', ['missing', 'invalid', 'slowed', 'unavailable', 'scope'] satisfies (
      | AuthenticationFailure
      | 'scope'
    )[]);
    beginAtZero(this.withoutRedis, 'decision', ['refused', 'counted-locally']);
    beginAtZero(this.clientsGone, 'phase', ['waiting', 'streaming'] satisfies LeavingPhase[]);
  }

  /** @returns what was counted of a model so far, as `/metrics` has it */
  async countsOfModels(): Promise<(model: string) => ModelCounts> {
    const [ttft, itl] = await Promise.all([this.ttft, this.itl].map(countsByModel));
    const counters = [this.promptTokens, this.cachedTokens, this.completionTokens];
    const [promptTokens, cachedTokens, completionTokens] = await Promise.all(counters.map(totalsByModel));
    return (model) => ({
      promptTokens: promptTokens?.get(model) ?? 0,
      cachedTokens: cachedTokens?.get(model) ?? 0,
      completionTokens: completionTokens?.get(model) ?? 0,
      ttft: ttft?.get(model),
      itl: itl?.get(model),
    });
  }

  observeInFlight(read: () => number): void {
    readGauge(named('requests_in_flight'), 'Completions in flight.', read);
  }

  observeSharedLimits(read: () => number): void {
    readGauge(named('shared_limits_up'), 'Whether Redis, where limits are counted, is connected: 1 or 0.', read);
  }

  decidedWithoutRedis(decision: 'refused' | 'counted-locally'): void {
    this.withoutRedis.add({ decision });
  }

  observeWaitingUsage(read: () => number): void {
    readGauge(named('usage_entries_waiting'), 'Entries that are not in the usage ledger yet.', read);
  }

  firstToken(model: string, ms: number, exemplar: Exemplar): void {
    observe(this.ttft, { model }, ms / 1_000, exemplar);
  }

  tokenGap(model: string, ms: number, exemplar: Exemplar): void {
    observe(this.itl, { model }, ms / 1_000, exemplar);
  }

  requestDuration(route: string, model: string, ms: number, exemplar: Exemplar): void {
    observe(this.duration, { route, model }, ms / 1_000, exemplar);
  }

  waitedForPlace(model: string, ms: number, exemplar: Exemplar): void {
    observe(this.placementWait, { model }, ms / 1_000, exemplar);
  }

  usedTokens(model: string, usage: AnswerUsage): void {
    this.promptTokens.add({ model }, usage.promptTokens);
    this.cachedTokens.add({ model }, usage.cachedTokens);
    this.completionTokens.add({ model }, usage.completionTokens);
  }

  answered(route: string, status: number | string, code: string): void {
    this.requests.add({ route, status: String(status), code });
  }

  repeatedPlacement(reason: string): void {
    this.placedAgain.add({ reason });
  }

  placedWithoutScheduler(): void {
    this.placedAlone.inc();
  }

  sawUnknownFields(route: string, count: number): void {
    if (count > 0) this.unknownFields.add({ route }, count);
  }

  notLetIn(reason: AuthenticationFailure | 'scope'): void {
    this.refusedCallers.add({ reason });
  }

  overLimit(tenantId: string, limit: LimitName): void {
    this.limited.add({ tenant: this.tenantLabel(tenantId), limit });
  }

  tenantUsed({ tenantId, promptTokens, completionTokens, costNanos }: UsageEntry): void {
    const tenant = this.tenantLabel(tenantId);
    this.tenantTokens.add({ tenant, kind: 'prompt' }, promptTokens);
    this.tenantTokens.add({ tenant, kind: 'completion' }, completionTokens);
    this.tenantCost.add({ tenant }, costNanos / NANOS_PER_UNIT);
  }

  clientGone(phase: LeavingPhase): void {
    this.clientsGone.add({ phase });
  }

  /** The first tenants have a label of their own, the rest share `other`. */
  private tenantLabel(tenantId: string): string {
    if (this.tenants.size < MAX_TENANT_LABELS) this.tenants.add(tenantId);
    return this.tenants.has(tenantId) ? tenantId : 'other';
  }
}

function named(name: string): string {
  return `hydra_gateway_${name}`;
}

function latency(name: string, help: string, labelNames: string[]): SeriesHistogram {
  const full = named(`${name}_seconds`);
  const options = { name: full, help, labelNames, buckets: LATENCY_BUCKETS_SECONDS };
  return (register.getSingleMetric(full) as SeriesHistogram | undefined) ?? histogramWithExemplars(options); // one per process
}

function counter(name: string, help: string, labelNames: string[]): SeriesCounter {
  const known = register.getSingleMetric(named(name)) as SeriesCounter | undefined; // one per process
  return known ?? new SeriesCounter(named(name), help, labelNames);
}
