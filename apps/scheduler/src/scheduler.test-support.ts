import { once } from 'node:events';
import { type ClientDuplexStream, credentials, Metadata } from '@grpc/grpc-js';
import { register } from 'prom-client';
import { clientChannelOptions } from '#lib/channels';
import { type HydraConfig, hydraSchema } from '#lib/config';
import {
  type CacheEvent,
  CacheRegistration,
  FleetClient,
  FleetDirective,
  KvBlocksStored,
  type KvEvent,
  KvEvents,
  type Lease,
  PlacementClient,
  PlaceRequest,
  type PlaceResponse,
  type Refused,
  Registration,
  ServedModel,
  StateReport,
  type WorkerEvent,
} from '#lib/contracts';
import { createLogger } from '#lib/observability';
import { type RunningScheduler, startScheduler } from './start-scheduler.js';

type SchedulerSettings = Partial<HydraConfig['scheduler']>;

/** A real scheduler on free ports, with a real client of each service. */
export class SchedulerFixture {
  private constructor(
    readonly scheduler: RunningScheduler,
    readonly placement: PlacementClient,
    readonly fleet: FleetClient,
  ) {}

  static async start(
    settings: SchedulerSettings = {},
    models: { id: string; strategy?: string }[] = [{ id: 'm' }],
    tracing: Partial<HydraConfig['tracing']> = {},
  ): Promise<SchedulerFixture> {
    register.clear(); // one process, one registry, many schedulers
    const config = hydraSchema.parse({ models, tracing, scheduler: { grpcPort: 0, httpPort: 0, ...settings } });
    const scheduler = await startScheduler(config, createLogger('scheduler', { level: 'silent', format: 'json' }));
    const target = `127.0.0.1:${scheduler.grpcPort}`;
    const placement = new PlacementClient(target, credentials.createInsecure(), clientChannelOptions());
    const fleet = new FleetClient(target, credentials.createInsecure(), clientChannelOptions());
    return new SchedulerFixture(scheduler, placement, fleet);
  }

  async close(): Promise<void> {
    await this.scheduler.close();
    this.placement.close();
    this.fleet.close();
  }

  place(request: Partial<PlaceRequest>, deadlineMs = 20_000): PendingPlace {
    return new PendingPlace(this.placement, request, deadlineMs);
  }

  async placed(request: Partial<PlaceRequest>): Promise<Lease> {
    return (await this.place(request).answer).lease;
  }

  async release(lease: Lease, outcome = 'finished', ttftUs = 0): Promise<void> {
    const release = { leaseId: lease.leaseId, outcome, usage: undefined, ttftUs, keepTrace: false };
    await new Promise<void>((resolve, reject) =>
      this.placement.releaseLeases({ releases: [release] }, (error) => (error ? reject(error) : resolve())),
    );
  }

  renew(leaseIds: string[]): Promise<string[]> {
    return new Promise((resolve, reject) =>
      this.placement.renewLeases({ leaseIds }, (error, response) =>
        error ? reject(error) : resolve(response.unknownLeaseIds),
      ),
    );
  }

  /** A worker with room for one sequence, unless told otherwise; resolves when it is accepted. */
  async join(workerId: string, registration: Partial<Registration> = {}): Promise<FakeWorker> {
    const worker = new FakeWorker(this.fleet.join());
    worker.register({ workerId, ...registration });
    await worker.next('accepted');
    return worker;
  }

  /** A cache of KV blocks; resolves when it is accepted. */
  async announce(registration: Partial<CacheRegistration> = {}): Promise<FakeCache> {
    const cache = new FakeCache(this.fleet.announce());
    cache.register(registration);
    await cache.next('accepted');
    return cache;
  }

  get(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.scheduler.httpPort}${path}`);
  }
}

/** The other side of a stream of the fleet: what it is told. */
class FakeMember<Event> {
  private readonly directives: FleetDirective[] = [];
  /** How the stream ended, with its status. */
  readonly ended: Promise<{ code: number; details: string }>;

  constructor(readonly stream: ClientDuplexStream<Event, FleetDirective>) {
    stream.on('data', (directive: FleetDirective) => {
      this.directives.push(directive);
      stream.emit('directive');
    });
    stream.on('error', () => {}); // its status tells
    this.ended = new Promise((resolve) => stream.once('status', resolve));
  }

  async next<Case extends NonNullable<FleetDirective['directive']>['$case']>(expected: Case): Promise<FleetDirective> {
    while (this.directives.length === 0) await once(this.stream, 'directive');
    const directive = this.directives.shift()!;
    if (directive.directive?.$case !== expected) throw new Error(`got ${JSON.stringify(directive)}, not ${expected}`);
    return directive;
  }

  /** Its process dies. */
  kill(): void {
    this.stream.cancel();
  }
}

/** A worker's side of `Join`. */
export class FakeWorker extends FakeMember<WorkerEvent> {
  private reports = 0;

  register(registration: Partial<Registration>): void {
    const models = [servedModel({ maxRunningSequences: 1 })];
    const value = Registration.fromPartial({ workerEpoch: 1, target: '127.0.0.1:1', models, ...registration });
    this.stream.write({ event: { $case: 'registration', value } });
  }

  report(report: Partial<StateReport> = {}): void {
    const value = StateReport.fromPartial({ sequence: ++this.reports, ...report });
    this.stream.write({ event: { $case: 'report', value } });
  }

  prefixes(events: Partial<KvEvents>): void {
    this.stream.write({ event: { $case: 'kvEvents', value: KvEvents.fromPartial(events) } });
  }
}

/** A cache's side of `Announce`. */
export class FakeCache extends FakeMember<CacheEvent> {
  register(registration: Partial<CacheRegistration>): void {
    const value = CacheRegistration.fromPartial({
      cacheId: 'c0',
      cacheEpoch: 1,
      target: '127.0.0.1:9',
      ...registration,
    });
    this.stream.write({ event: { $case: 'registration', value } });
  }

  holds(events: Partial<KvEvents>): void {
    this.stream.write({ event: { $case: 'kvEvents', value: KvEvents.fromPartial(events) } });
  }
}

export function servedModel(model: Partial<ServedModel> = {}): ServedModel {
  return ServedModel.fromPartial({ modelId: 'm', blockTokens: 16, contextTokens: 8_192, ...model });
}

export function stored(hashes: readonly Buffer[]): KvEvent {
  return { change: { $case: 'stored', value: KvBlocksStored.fromPartial({ blockHashes: [...hashes], modelId: 'm' }) } };
}

let generationCount = 0;

/** A call of `Place` under way. */
export class PendingPlace {
  readonly response: Promise<PlaceResponse>;
  private readonly cancelCall: () => void;

  constructor(client: PlacementClient, request: Partial<PlaceRequest>, deadlineMs: number) {
    const whole = PlaceRequest.fromPartial({
      generationId: `g${++generationCount}`,
      requestId: `r${generationCount}`,
      tenantId: 't',
      modelId: 'm',
      promptTokens: 10,
      maxOutputTokens: 10,
      sequenceCount: 1,
      ...request,
    });
    let cancel = () => {};
    this.response = new Promise((resolve, reject) => {
      const call = client.place(whole, new Metadata(), { deadline: Date.now() + deadlineMs }, (error, response) =>
        error ? reject(error) : resolve(response),
      );
      cancel = () => call.cancel();
    });
    this.cancelCall = cancel;
    this.response.catch(() => {}); // awaited where it matters
  }

  get answer(): Promise<{ lease: Lease; waitedUs: number }> {
    return this.response.then(({ outcome, waitedUs }) => {
      if (outcome?.$case !== 'lease') throw new Error(`no lease: ${JSON.stringify(outcome)}`);
      return { lease: outcome.value, waitedUs };
    });
  }

  get refusal(): Promise<Refused> {
    return this.response.then(({ outcome }) => {
      if (outcome?.$case !== 'refused') throw new Error(`not refused: ${JSON.stringify(outcome)}`);
      return outcome.value;
    });
  }

  cancel(): void {
    this.cancelCall();
  }
}
