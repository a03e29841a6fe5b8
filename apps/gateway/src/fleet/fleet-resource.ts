import { ApiProperty } from '@nestjs/swagger';
import { type Device, type DeviceState, type ServedModel, WorkerRole } from '#lib/contracts';
import { LATENCY_BUCKETS_SECONDS } from '#lib/observability';
import type { HistogramCounts, ModelCounts } from '../observation/model-counts.js';
import type { WorkerView } from './fleet-view.js';
import { capabilitiesOf } from './model-tasks.js';

/** What `GET /v1/fleet` answers. */

const COUNT = { type: 'integer', minimum: 0 } as const;
const RATIO = { type: 'number', minimum: 0, maximum: 1 } as const;
const MICROS_PER_SECOND = 1_000_000;

const ROLES: Readonly<Partial<Record<WorkerRole, string>>> = {
  [WorkerRole.PREFILL]: 'prefill',
  [WorkerRole.DECODE]: 'decode',
};

export class DeviceResource {
  @ApiProperty({ example: 'cpu' }) readonly kind: string;
  @ApiProperty(COUNT) readonly index: number;
  @ApiProperty() readonly name: string;
  @ApiProperty({ ...COUNT, nullable: true, description: 'Null: not known.' }) readonly memory_bytes: number | null;
  @ApiProperty({ ...COUNT, nullable: true }) readonly memory_used_bytes: number | null;
  @ApiProperty({ ...RATIO, nullable: true }) readonly utilization: number | null;
  @ApiProperty({ type: 'number', nullable: true }) readonly power_watts: number | null;

  constructor({ kind, index, name, memoryBytes }: Device, state: DeviceState | undefined) {
    this.kind = kind;
    this.index = index;
    this.name = name;
    this.memory_bytes = knownOrNull(state?.memoryTotalBytes) ?? knownOrNull(memoryBytes);
    this.memory_used_bytes = state?.memoryUsedBytes ?? null;
    this.utilization = state === undefined ? null : Math.min(Math.max(state.utilization, 0), 1);
    this.power_watts = knownOrNull(state?.powerWatts);
  }
}

export class WorkerResource {
  @ApiProperty() readonly id: string;
  @ApiProperty({ description: 'When this life of it began, in seconds since the Unix epoch.' })
  readonly started_at: number;
  @ApiProperty({ example: 'onnx' }) readonly engine: string;
  @ApiProperty() readonly version: string;
  @ApiProperty({ enum: ['unified', 'prefill', 'decode'] }) readonly role: string;
  @ApiProperty({ description: 'Whether this gateway has a session with it.' }) readonly connected: boolean;
  @ApiProperty({ description: 'It takes nothing new.' }) readonly draining: boolean;
  @ApiProperty({ type: [String] }) readonly models: readonly string[];
  @ApiProperty({ type: [String], description: 'LoRA adapters that are loaded.' }) readonly adapters: readonly string[];
  @ApiProperty({ type: [DeviceResource] }) readonly devices: readonly DeviceResource[];
  @ApiProperty({ ...COUNT, description: 'Generations in its batch.' }) readonly running: number;
  @ApiProperty({ ...COUNT, description: 'Generations that it has accepted and that wait for the batch.' })
  readonly waiting: number;
  @ApiProperty(COUNT) readonly pending_prefill_tokens: number;
  @ApiProperty(COUNT) readonly kv_used_bytes: number;
  @ApiProperty({ ...COUNT, description: '0: not known.' }) readonly kv_total_bytes: number;
  @ApiProperty({ type: 'number', description: 'Generated, over the last report interval.' })
  readonly tokens_per_second: number;
  @ApiProperty({ type: 'number', description: 'Of prompts, over the last report interval.' })
  readonly prefill_tokens_per_second: number;
  @ApiProperty({ type: 'number', description: 'Mean time of a step, in seconds; 0 when there was none.' })
  readonly step_seconds: number;
  @ApiProperty({ ...COUNT, description: 'Prompt tokens looked up in its prefix store, since it began.' })
  readonly prefix_query_tokens: number;
  @ApiProperty({ ...COUNT, description: 'Those of them that were found.' }) readonly prefix_hit_tokens: number;

  constructor({ workerId, workerEpoch, member }: WorkerView, isConnected: boolean) {
    const { registration, report } = member;
    this.id = workerId;
    this.started_at = Math.floor(workerEpoch / 1_000);
    this.engine = registration?.engine ?? '';
    this.version = registration?.version ?? '';
    this.role = (registration && ROLES[registration.role]) ?? 'unified';
    this.connected = isConnected;
    this.draining = report?.draining ?? false;
    this.models = registration?.models.map(({ modelId }) => modelId) ?? [];
    this.adapters = registration?.adapters.map(({ adapterId }) => adapterId) ?? [];
    const states = new Map(report?.devices.map((state) => [state.index, state]));
    this.devices = registration?.devices.map((device) => new DeviceResource(device, states.get(device.index))) ?? [];
    this.running = report?.runningGenerations ?? 0;
    this.waiting = report?.waitingGenerations ?? 0;
    this.pending_prefill_tokens = report?.pendingPrefillTokens ?? 0;
    this.kv_used_bytes = report?.kvUsedBytes ?? 0;
    this.kv_total_bytes = report?.kvTotalBytes ?? 0;
    this.tokens_per_second = report?.tokensPerSecond ?? 0;
    this.prefill_tokens_per_second = report?.prefillTokensPerSecond ?? 0;
    this.step_seconds = (report?.stepUs ?? 0) / MICROS_PER_SECOND;
    this.prefix_query_tokens = report?.prefixQueryTokens ?? 0;
    this.prefix_hit_tokens = report?.prefixHitTokens ?? 0;
  }
}

export class LatencyResource {
  @ApiProperty({
    ...{ type: 'array', items: COUNT, example: [0, 3, 1] },
    description: 'Observations in each bucket of `latency_buckets_seconds`, and one more for what is beyond.',
  })
  readonly counts: readonly number[];
  @ApiProperty({ type: 'number' }) readonly sum_seconds: number;

  constructor(counted: HistogramCounts | undefined) {
    this.counts = counted?.counts ?? Array<number>(LATENCY_BUCKETS_SECONDS.length + 1).fill(0);
    this.sum_seconds = counted?.sumSeconds ?? 0;
  }
}

export class FleetModelResource {
  @ApiProperty() readonly id: string;
  @ApiProperty({ type: [String] }) readonly capabilities: readonly string[];
  @ApiProperty(COUNT) readonly context_tokens: number;
  @ApiProperty({ example: 'int8' }) readonly weights: string;
  @ApiProperty({ example: 'exact' }) readonly numerics: string;
  @ApiProperty({ ...COUNT, description: 'Workers that serve it.' }) readonly workers: number;
  @ApiProperty({ ...COUNT, description: 'Answered by this gateway since it began.' }) readonly prompt_tokens: number;
  @ApiProperty({ ...COUNT, description: 'Those of the prompts that a prefix store had.' })
  readonly cached_tokens: number;
  @ApiProperty(COUNT) readonly completion_tokens: number;
  @ApiProperty({ type: LatencyResource, description: 'Time from the arrival of a request to its first token.' })
  readonly ttft: LatencyResource;
  @ApiProperty({ type: LatencyResource, description: 'Gaps between deliveries of streamed sequences.' })
  readonly itl: LatencyResource;

  constructor(served: ServedModel, workerCount: number, counts: ModelCounts) {
    this.id = served.modelId;
    this.capabilities = capabilitiesOf(served);
    this.context_tokens = served.contextTokens;
    this.weights = served.weights;
    this.numerics = served.numerics;
    this.workers = workerCount;
    this.prompt_tokens = counts.promptTokens;
    this.cached_tokens = counts.cachedTokens;
    this.completion_tokens = counts.completionTokens;
    this.ttft = new LatencyResource(counts.ttft);
    this.itl = new LatencyResource(counts.itl);
  }
}

export class SchedulerResource {
  @ApiProperty({ description: 'Where it is.' }) readonly target: string;
  @ApiProperty({ description: 'Whether it tells this gateway its fleet now.' }) readonly connected: boolean;
  @ApiProperty({ ...COUNT, description: 'Generations that wait in it for a place.' }) readonly waiting: number;

  constructor(target: string, isLive: boolean, waiting: number) {
    this.target = target;
    this.connected = isLive;
    this.waiting = waiting;
  }
}

export class FleetResource {
  @ApiProperty({ enum: ['fleet'] }) readonly object = 'fleet';
  @ApiProperty({ description: 'When this was read, in milliseconds since the Unix epoch.' })
  readonly observed_at_ms: number;
  @ApiProperty({ description: 'The gateway that answers; another one has counted for itself.' })
  readonly gateway: string;
  @ApiProperty() readonly version: string;
  @ApiProperty({ ...COUNT, description: 'Completions in flight in this gateway.' }) readonly in_flight: number;
  @ApiProperty({ type: [Number], description: 'Upper bounds of the buckets of all latencies, in seconds.' })
  readonly latency_buckets_seconds: readonly number[] = LATENCY_BUCKETS_SECONDS;
  @ApiProperty({ type: [SchedulerResource] }) readonly schedulers: readonly SchedulerResource[];
  @ApiProperty({ type: [WorkerResource] }) readonly workers: readonly WorkerResource[];
  @ApiProperty({ type: [FleetModelResource] }) readonly models: readonly FleetModelResource[];

  constructor(facts: Omit<FleetResource, 'object' | 'latency_buckets_seconds'>) {
    this.observed_at_ms = facts.observed_at_ms;
    this.gateway = facts.gateway;
    this.version = facts.version;
    this.in_flight = facts.in_flight;
    this.schedulers = facts.schedulers;
    this.workers = facts.workers;
    this.models = facts.models;
  }
}

/** Reports have 0 for what they do not know. */
function knownOrNull(value: number | undefined): number | null {
  return value || null;
}
